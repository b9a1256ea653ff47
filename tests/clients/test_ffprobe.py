"""ffprobe, which seeks in a film as players do.

``tests/run.py`` doesn't install it: with what it needs, it takes 166 MB.
"""

from pathlib import Path

from tests.support.drive import Home
from tests.support.programs import require_program, run
from tests.support.waiting import until

SECONDS = 120


def test_ffprobe_seeks_in_a_film_by_ranges(home: Home, tmp_path: Path) -> None:
    ffmpeg, ffprobe = require_program("ffmpeg"), require_program("ffprobe")
    # Noise isn't compressed: 150 kB a second. The index is at the end, as cameras write it.
    noise = f"anoisesrc=duration={SECONDS}:sample_rate=48000"
    picture = f"color=duration={SECONDS}:size=64x64:rate=25"
    run(
        [
            *(ffmpeg, "-loglevel", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi"),
            *("-i", noise, "-c:v", "mpeg4", "-g", "25", "-c:a", "pcm_s24le", "film.mov"),
        ],
        tmp_path,
    )
    film = (tmp_path / "film.mov").read_bytes()
    with home.server.client() as client:
        assert client("PUT", f"{home.path}film%20%C3%BC.mov", film).status == 201
    url = f"{home.url}film%20%C3%BC.mov"

    def probe(place: str, second: int) -> str:
        """The packets of a tenth of a second, with sums of their bytes."""
        show = ["-show_packets", "-show_data_hash", "md5", "-show_format", "-of", "csv"]
        interval = ["-read_intervals", f"{second}%+0.1"]
        shown = run([ffprobe, "-v", "error", *interval, *show, place], tmp_path)
        return shown.replace(place, "")

    before = home.server.log
    for second in (0, 100, 35, 119):
        shown = probe(url, second)
        assert shown == probe("film.mov", second)
        assert shown.count("packet,video") >= 2
    gets = f'"GET {home.path}film%20%C3%BC.mov" '
    until(lambda: home.server.log.removeprefix(before).count(f"{gets}206 ") >= 8)
    assert f"{gets}200 " not in home.server.log.removeprefix(before)
    assert home.bucket.bodies() == {"film ü.mov": film}
