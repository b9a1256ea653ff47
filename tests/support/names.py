"""Names that clients encode, each in its own way, and that must reach the bucket as they are."""

NAMES = (
    "plain.txt",
    "with some spaces.txt",
    "Größe ÄÖÜ ß.txt",
    "emoji 🎉👩‍🚀.txt",
    "one+two.txt",
    "this & that.txt",
    "number #1.txt",
    "100%.txt",
    "percent %41 stays.txt",
    "it's.txt",
    "semi;colon.txt",
    "comma, equals = at @ (brackets) [square].txt",
)
