"""The media types of names' suffixes: Python's own table, and what that lacks.

The types are those that IANA has registered, or else those that desktops use. Nothing comes from
the machine's tables, so that all bridges on a bucket say the same.
"""

import mimetypes

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."

_ADDED = {
    # Documents
    _OFFICE + "wordprocessingml.document": "docx",
    _OFFICE + "wordprocessingml.template": "dotx",
    _OFFICE + "spreadsheetml.sheet": "xlsx",
    _OFFICE + "spreadsheetml.template": "xltx",
    _OFFICE + "presentationml.presentation": "pptx",
    _OFFICE + "presentationml.slideshow": "ppsx",
    _OFFICE + "presentationml.template": "potx",
    "application/vnd.ms-word.document.macroEnabled.12": "docm",
    "application/vnd.ms-excel.sheet.macroEnabled.12": "xlsm",
    "application/vnd.ms-excel.sheet.binary.macroEnabled.12": "xlsb",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.12": "pptm",
    "application/vnd.ms-project": "mpp",
    "application/vnd.ms-outlook": "msg",
    "application/vnd.visio": "vsd",
    "application/vnd.ms-visio.drawing.main+xml": "vsdx",
    "application/onenote": "one",
    "application/oxps": "oxps",
    "application/vnd.ms-xpsdocument": "xps",
    _OPEN + "text": "odt fodt",
    _OPEN + "text-template": "ott",
    _OPEN + "spreadsheet": "ods fods",
    _OPEN + "spreadsheet-template": "ots",
    _OPEN + "presentation": "odp fodp",
    _OPEN + "presentation-template": "otp",
    _OPEN + "graphics": "odg fodg",
    _OPEN + "graphics-template": "otg",
    _OPEN + "formula": "odf",
    _OPEN + "base": "odb",
    "application/vnd.apple.pages": "pages",
    "application/vnd.apple.numbers": "numbers",
    "application/vnd.apple.keynote": "keynote",
    "application/rtf": "rtf",
    "application/epub+zip": "epub",
    "application/x-mobipocket-ebook": "mobi prc",
    "application/vnd.amazon.mobi8-ebook": "azw3",
    "application/vnd.comicbook+zip": "cbz",
    "application/vnd.comicbook-rar": "cbr",
    "image/vnd.djvu": "djvu djv",
    # Text and code
    "text/markdown": "md markdown",
    "text/x-rst": "rst",
    "text/plain": "log ini conf cfg properties text",
    "text/csv": "csv",
    "text/javascript": "js mjs cjs",
    "text/x-typescript": "tsx",
    "text/x-go": "go",
    "text/x-rust": "rs",
    "text/x-ruby": "rb",
    "text/x-c++": "cpp cc cxx hpp",
    "text/x-java": "java",
    "text/x-kotlin": "kt",
    "text/x-swift": "swift",
    "text/x-lua": "lua",
    "text/x-diff": "patch diff",
    "application/x-httpd-php": "php",
    "application/x-sh": "sh bash zsh",
    "application/x-powershell": "ps1",
    "application/sql": "sql",
    "application/toml": "toml",
    "application/yaml": "yaml yml",
    "application/x-ndjson": "ndjson jsonl",
    "application/geo+json": "geojson",
    "application/x-ipynb+json": "ipynb",
    "application/xhtml+xml": "xhtml xht",
    "text/xml": "xml xsd",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    # Pictures
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jxl": "jxl",
    "image/vnd.adobe.photoshop": "psd",
    "image/x-xcf": "xcf",
    "image/x-adobe-dng": "dng",
    "image/x-canon-cr2": "cr2",
    "image/x-canon-cr3": "cr3",
    "image/x-nikon-nef": "nef",
    "image/x-sony-arw": "arw",
    "image/x-fuji-raf": "raf",
    "image/x-panasonic-rw2": "rw2",
    "image/x-olympus-orf": "orf",
    # Sound and video
    "audio/flac": "flac",
    "audio/ogg": "ogg oga",
    "audio/mp4": "m4a m4b",
    "audio/x-ms-wma": "wma",
    "audio/x-matroska": "mka",
    "audio/x-wav": "wav",
    "audio/midi": "mid midi",
    "video/ogg": "ogv",
    "video/x-matroska": "mkv",
    "video/x-m4v": "m4v",
    "video/x-ms-wmv": "wmv",
    "video/x-flv": "flv",
    "video/mp2t": "ts m2ts mts",
    "application/x-subrip": "srt",
    "application/vnd.apple.mpegurl": "m3u8",
    # Archives, packages and images of disks
    "application/zstd": "zst",
    "application/x-7z-compressed": "7z",
    "application/vnd.rar": "rar",
    "application/x-lz4": "lz4",
    "application/x-lzip": "lz",
    "application/x-iso9660-image": "iso",
    "application/x-apple-diskimage": "dmg",
    "application/vnd.debian.binary-package": "deb",
    "application/x-rpm": "rpm",
    "application/vnd.android.package-archive": "apk",
    "application/java-archive": "jar war",
    "application/x-msi": "msi",
    "application/x-bittorrent": "torrent",
    # Fonts
    "font/ttf": "ttf",
    "font/otf": "otf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    # Maps, models and data
    "application/vnd.google-earth.kml+xml": "kml",
    "application/vnd.google-earth.kmz": "kmz",
    "application/gpx+xml": "gpx",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.sqlite3": "sqlite sqlite3 db",
    "model/stl": "stl",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "model/step": "step stp",
    "image/vnd.dwg": "dwg",
    "image/vnd.dxf": "dxf",
    # Keys and signatures
    "application/x-pem-file": "pem",
    "application/pkix-cert": "cer",
    "application/x-x509-ca-cert": "crt",
    "application/pgp-keys": "asc",
    "application/pgp-signature": "sig",
}
"""Media type → suffixes. They count more than Python's, which has changed some between versions.
``.key`` is missing on purpose: it is Keynote's as well as that of secret keys."""


def type_and_encoding(suffix: str) -> tuple[str | None, str | None]:
    """As mimetypes.guess_type, of a suffix such as ``.gz``."""
    return _TYPES.guess_type("name" + suffix, strict=False)


def _table() -> mimetypes.MimeTypes:
    types = mimetypes.MimeTypes(filenames=())
    for kind, suffixes in _ADDED.items():
        for suffix in suffixes.split():
            types.add_type(kind, "." + suffix)
    return types


_TYPES = _table()
