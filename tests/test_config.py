"""Settings: which source counts, what each rule accepts, and what a mistake is told."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from davbridge.arguments import parse
from davbridge.config import (
    FLAGS,
    MIB,
    AccessSettings,
    ConfigError,
    S3Settings,
    ServerSettings,
    Settings,
    User,
    load,
)
from davbridge.config.checks import is_loopback, parse_size
from davbridge.config.file import SECTIONS
from davbridge.config.load import default_directory

HASH = "$2b$12$" + "a" * 53
ARGON2 = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$" + "A" * 43
OPEN = {"access.anonymous": True}


def settings_of(
    tmp_path: Path,
    text: str | None = None,
    flags: Mapping[str, Any] = OPEN,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """What ``load`` makes of a file with ``text``, the flags and the environment."""
    path = None
    if text is not None:
        path = tmp_path / "d.toml"
        path.write_text(text, encoding="utf-8")
    return load(flags, path, hash_password=lambda _: HASH, environ=environ or {"HOME": "/h"})


def complaint_about(
    tmp_path: Path,
    text: str | None = None,
    flags: Mapping[str, Any] = OPEN,
    environ: Mapping[str, str] | None = None,
) -> str:
    """The one line with which ``load`` refuses."""
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, text, flags, environ)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{tmp_path}/", "")


def test_every_setting_can_be_said_in_the_file(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        f"""
        [s3]
        bucket = "photos"
        prefix = "team/a"
        endpoint_url = "https://s3.example.org:9000"
        region = "eu-central-1"
        addressing = "path"
        profile = "work"
        access_key = "AKIA"
        secret_key = "hush"
        connect_timeout = 2
        read_timeout = 7.5
        attempts = 9
        max_object_size = "48.8 TiB"
        storage_class = "STANDARD_IA"
        encryption = "aws:kms"
        kms_key_id = "alias/drive"
        bucket_key = true
        acl = "bucket-owner-full-control"
        copy_without = ["acl", "tags"]

        [cache]
        ttl = 0
        negative_ttl = 1.5
        max_entries = 1000
        max_bytes = "64 MiB"

        [drive]
        read_only = true
        quota = "10 GiB"
        publish_quota = false
        max_file_size = 4096
        junk = "drop"
        junk_names = ["*.tmp"]
        mount_path = "/dav"
        public_origins = ["https://drive.example.org"]

        [server]
        host = "::"
        port = 8443
        tls_cert = "tls/cert.pem"
        tls_key = "/etc/tls/key.pem"
        threads = 8
        timeout = 30
        shutdown_timeout = 5

        [access]
        realm = "the drive"
        anonymous = false
        insecure = true
        users = [{{ name = "ada", password_hash = "{HASH}" }}]

        [log]
        level = "debug"
        json = true
        """,
        flags={},
    )
    assert settings.s3 == S3Settings(
        bucket="photos",
        prefix="team/a/",
        endpoint_url="https://s3.example.org:9000",
        region="eu-central-1",
        addressing="path",
        profile="work",
        access_key="AKIA",
        secret_key="hush",
        connect_timeout=2.0,
        read_timeout=7.5,
        attempts=9,
        max_object_size=int(48.8 * 1024**4),
        storage_class="STANDARD_IA",
        encryption="aws:kms",
        kms_key_id="alias/drive",
        bucket_key=True,
        acl="bucket-owner-full-control",
        copy_without=("acl", "tags"),
    )
    assert settings.embedded is None
    assert (settings.cache.ttl, settings.cache.negative_ttl) == (0.0, 1.5)
    assert (settings.cache.max_entries, settings.cache.max_bytes) == (1000, 64 * MIB)
    assert settings.drive.read_only
    assert not settings.drive.publish_quota
    assert (settings.drive.quota, settings.drive.max_file_size) == (10 * 1024**3, 4096)
    assert (settings.drive.junk, settings.drive.junk_names) == ("drop", ("*.tmp",))
    assert settings.drive.mount_path == "/dav"
    assert settings.drive.public_origins == ("https://drive.example.org",)
    assert settings.server == ServerSettings(
        host="::",
        port=8443,
        tls_cert=tmp_path / "tls/cert.pem",
        tls_key=Path("/etc/tls/key.pem"),
        threads=8,
        timeout=30.0,
        shutdown_timeout=5.0,
    )
    assert settings.access == AccessSettings((User("ada", HASH),), False, "the drive", True)
    assert (settings.log.level, settings.log.json) == ("debug", True)


def test_the_file_has_a_section_for_every_part_of_the_settings() -> None:
    parts = {part.name for part in fields(Settings)}
    assert set(SECTIONS) == parts
    assert all(is_dataclass(section) for section in SECTIONS.values())


def test_users_can_be_tables_of_their_own(tmp_path: Path) -> None:
    text = f"""
        [embedded]
        directory = "data"
        [[access.users]]
        name = "ada"
        password_hash = "{HASH}"
        [[access.users]]
        name = "bob"
        password_hash = "{ARGON2}"
        """
    settings = settings_of(tmp_path, text, flags={})
    assert settings.access.users == (User("ada", HASH), User("bob", ARGON2))
    assert settings.embedded == tmp_path / "data"


def test_flags_count_more_than_the_file(tmp_path: Path) -> None:
    text = '[s3]\nbucket = "files"\nregion = "r1"\n[server]\nport = 1\nhost = "127.0.0.2"'
    settings = settings_of(tmp_path, text, {**OPEN, "server.port": 2, "s3.region": "r2"})
    assert (settings.server.port, settings.server.host) == (2, "127.0.0.2")
    assert settings.s3 == S3Settings("files", region="r2")


def test_a_bucket_flag_replaces_bucket_and_prefix_and_keeps_the_store(tmp_path: Path) -> None:
    text = '[s3]\nbucket = "files"\nprefix = "p"\nendpoint_url = "http://s3:9000"'
    settings = settings_of(tmp_path, text, {**OPEN, "s3.bucket": "other"})
    assert settings.s3 == S3Settings("other", "", "http://s3:9000")


def test_a_store_flag_replaces_the_files_store(tmp_path: Path) -> None:
    s3 = '[s3]\nbucket = "files"'
    embedded = settings_of(tmp_path, s3, {**OPEN, "embedded.directory": Path("d")})
    assert (embedded.s3, embedded.embedded) == (None, Path("d"))
    bucket = settings_of(tmp_path, "[embedded]", {**OPEN, "s3.bucket": "files"})
    assert (bucket.s3, bucket.embedded) == (S3Settings("files"), None)


@pytest.mark.parametrize(
    ("place", "bucket", "prefix"),
    [
        ("files", "files", ""),
        ("files/", "files", ""),
        ("files/a", "files", "a/"),
        ("files/a/b/", "files", "a/b/"),
        ("s3://files/ä b", "files", "ä b/"),
    ],
)
def test_a_place_is_a_bucket_and_perhaps_a_prefix(
    tmp_path: Path, place: str, bucket: str, prefix: str
) -> None:
    assert settings_of(tmp_path, None, {**OPEN, "s3.bucket": place}).s3 == S3Settings(
        bucket, prefix
    )


@pytest.mark.parametrize(
    "place",
    ["files//a", "files/a//b", "files/../x", "files/a/./b", "files/.davbridge/x", "files//"],
)
def test_a_prefix_that_no_path_could_show_is_refused(tmp_path: Path, place: str) -> None:
    assert complaint_about(tmp_path, None, {**OPEN, "s3.bucket": place}).startswith("PREFIX ")


def test_a_prefix_in_the_file_that_no_path_could_show_is_refused(tmp_path: Path) -> None:
    text = '[s3]\nbucket = "files"\nprefix = "/a"'
    assert complaint_about(tmp_path, text).startswith("d.toml: s3.prefix can't hold empty")


@pytest.mark.parametrize("bucket", ["", "ab", "my files", "a..b", "-files", "files-", "ü" * 5])
def test_an_empty_bucket_name_is_refused(tmp_path: Path, bucket: str) -> None:
    message = complaint_about(tmp_path, None, {**OPEN, "s3.bucket": bucket})
    assert message.startswith(f"BUCKET is no bucket name: {bucket!r}")


def test_without_bucket_and_file_the_embedded_store_is_run(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, environ={"XDG_DATA_HOME": "/x", "LOCALAPPDATA": "/x"})
    assert settings.s3 is None
    assert settings.embedded == default_directory({"XDG_DATA_HOME": "/x", "LOCALAPPDATA": "/x"})


def test_the_usual_folder_is_the_persons_data_folder() -> None:
    home = Path.home()
    assert default_directory({"XDG_DATA_HOME": "/x"}, "linux") == Path("/x/davbridge")
    assert default_directory({"XDG_DATA_HOME": "x"}, "linux") == home / ".local/share/davbridge"
    assert default_directory({}, "linux") == home / ".local/share/davbridge"
    assert default_directory({"XDG_DATA_HOME": "/x"}, "darwin").is_relative_to(home / "Library")
    assert default_directory({"LOCALAPPDATA": "/l"}, "win32") == Path("/l/davbridge")


def test_one_user_may_come_from_flag_and_environment(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, None, {"access.user": "ada"}, {"DAVBRIDGE_PASSWORD": "pw", "HOME": "/h"}
    )
    assert settings.access.users == (User("ada", HASH),)


def test_a_login_flag_replaces_all_that_the_file_says_of_logins(tmp_path: Path) -> None:
    users = f'[embedded]\n[access]\nusers = [{{ name = "bob", password_hash = "{HASH}" }}]'
    assert settings_of(tmp_path, users).access == AccessSettings(anonymous=True)
    nobody = "[embedded]\n[access]\nanonymous = true"
    one = settings_of(tmp_path, nobody, {"access.user": "ada"}, {"DAVBRIDGE_PASSWORD": "pw"})
    assert one.access == AccessSettings((User("ada", HASH),))


def test_secrets_show_in_no_repr(tmp_path: Path) -> None:
    text = f"""
        [s3]
        bucket = "files"
        access_key = "AKIA"
        secret_key = "hush"
        [access]
        users = [{{ name = "ada", password_hash = "{HASH}" }}]
        """
    shown = repr(settings_of(tmp_path, text, flags={}))
    assert "AKIA" not in shown
    assert "hush" not in shown
    assert HASH not in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[s3\n", "d.toml: is not TOML: Expected ']' at the end of a table declaration (at line 1"),
        ("[s3]\nbucket = 'a", "d.toml: is not TOML: "),
        ("[srever]", "d.toml: srever is unknown: did you mean server?"),
        ("[xyz]", "d.toml: xyz is unknown: known are s3, embedded, cache, "),
        ("[server]\nprot = 1", "d.toml: server.prot is unknown: did you mean server.port?"),
        ("server = 1", "d.toml: server must be a table, not a whole number"),
        ("[server]\nport = '80'", "d.toml: server.port must be a whole number, not a text"),
        ("[server]\nport = true", "d.toml: server.port must be a whole number, not true or false"),
        ("[server]\nport = 80.0", "d.toml: server.port must be a whole number, not a number"),
        ("[server]\ntimeout = 2020-01-01", "d.toml: server.timeout must be a number, not a date"),
        (f"[server]\ntimeout = 1{'0' * 400}", "d.toml: server.timeout is too large a number"),
        ("[embedded]\n[server]\nport = 65536", "d.toml: server.port must be between 0 and 65535"),
        ("[embedded]\n[server]\nport = -1", "d.toml: server.port must be between 0 and 65535"),
        ("[embedded]\n[server]\ntimeout = 0", "d.toml: server.timeout must be more than 0"),
        ("[embedded]\n[server]\ntimeout = nan", "d.toml: server.timeout must be more than 0"),
        ("[embedded]\n[server]\ntimeout = inf", "d.toml: server.timeout must be more than 0"),
        ("[embedded]\n[server]\nthreads = 0", "d.toml: server.threads must be between 1 and"),
        ("[embedded]\n[server]\nhost = '[::1]'", "d.toml: server.host must be an address or a"),
        ("[embedded]\n[server]\nhost = ''", "d.toml: server.host must be an address or a"),
        ("[embedded]\n[cache]\nttl = -1", "d.toml: cache.ttl must be 0 or more, not -1"),
        ("[embedded]\n[drive]\nquota = 0", "d.toml: drive.quota must be 1 or more, not 0"),
        ("[drive]\nquota = '10 GBit'", "d.toml: drive.quota must be a number of bytes or a text"),
        ("[drive]\nquota = true", "d.toml: drive.quota must be a number of bytes or a text"),
        ("[drive]\nread_only = 1", "d.toml: drive.read_only must be true or false, not a whole"),
        (
            "[embedded]\n[drive]\njunk = 'delete'",
            "d.toml: drive.junk must be one of 'keep', 'hide', 'drop', not 'delete'",
        ),
        ("[drive]\njunk_names = '._*'", "d.toml: drive.junk_names must be a list, not a text"),
        ("[drive]\njunk_names = [1]", "d.toml: drive.junk_names[0] must be a text in quotes"),
        (
            "[embedded]\n[drive]\njunk_names = ['.Trashes/*']",
            "d.toml: drive.junk_names must be names or patterns such as '._*', without '/'",
        ),
        (
            "[embedded]\n[drive]\njunk_names = ['*']",
            "d.toml: drive.junk_names can't be '*': people's own files would match it as well",
        ),
        ("[log]\nlevel = 'loud'", "d.toml: log.level must be one of 'debug', 'info', 'warning'"),
        ("[s3]\naddressing = 'x'", "d.toml: s3.addressing must be one of 'auto', 'path', 'virt"),
        ("[embedded]\ndirectory = ''", "d.toml: embedded.directory is no path: ''"),
        ("[embedded]\ndirectory = '~nobody-at-all/x'", "d.toml: embedded.directory names no home"),
        ("[access]\nusers = 1", "d.toml: access.users must be a list, not a whole number"),
        ("[access]\nusers = [1]", "d.toml: access.users[0] must be a table, not a whole number"),
        ("[access]\nusers = [{}]", "d.toml: access.users[0].name is missing"),
        (
            "[access]\nusers = [{ name = 'a', password = 'b' }]",
            "d.toml: access.users[0].password is unknown: did you mean access.users[0].password_h",
        ),
        (
            "[access]\nusers = [{ name = 'a', password_hash = 'secret' }]",
            "d.toml: access.users[0].password_hash is no argon2id or bcrypt hash: make one with",
        ),
        (
            f"[access]\nusers = [{{ name = 'a:b', password_hash = '{HASH}' }}]",
            "d.toml: access.users[0].name must be a name without ':'",
        ),
        (
            "[access]\nusers = [{ name = 'a' }]",
            "d.toml: access.users[0] needs one of password_hash and password_file",
        ),
        (
            f"[access]\nusers = [{{ name = 'a', password_hash = '{HASH}', password_file = 'f' }}]",
            "d.toml: access.users[0] needs one of password_hash and password_file",
        ),
        (
            "[access]\nusers = [{ name = 'a', password_file = '/no/file' }]",
            "d.toml: access.users[0].password_file can't be read: /no/file: No such file",
        ),
        (
            "[access]\nusers = [{ name = 'a', password_file = '/dev/null' }]",
            "d.toml: access.users[0].password_file has no password in its first line: /dev/null",
        ),
        (
            "[drive]\npublic_origins = 'x'",
            "d.toml: drive.public_origins must be a list, not a text",
        ),
        ("[drive]\npublic_origins = [1]", "d.toml: drive.public_origins[0] must be a text in quot"),
        (
            "[embedded]\n[drive]\npublic_origins = ['https://a/b']",
            "d.toml: drive.public_origins must be an origin, without a path: 'https://a/b'",
        ),
        ("[embedded]\n[drive]\nmount_path = 'dav'", "d.toml: drive.mount_path must look like /dav"),
        ("[embedded]\n[drive]\nmount_path = '/a/..'", "d.toml: drive.mount_path must look like"),
        ("[log]", "d.toml: names no store: give [s3] a bucket, or add [embedded]"),
        ("[s3]\nbucket = 'files'\n[embedded]", "d.toml: has both [s3] and [embedded]: choose one"),
        ("[s3]\nregion = 'x'", "d.toml: s3.bucket is missing"),
        ("[s3]\nbucket = 'my files'", "d.toml: s3.bucket is no bucket name: 'my files'"),
        ("[s3]\nbucket = 'files'\nregion = ''", "d.toml: s3.region must not be empty"),
        (
            "[s3]\nbucket = 'files'\naccess_key = 'a'",
            "d.toml: s3.secret_key is missing: access_key",
        ),
        ("[s3]\nbucket = 'files'\nattempts = 0", "d.toml: s3.attempts must be between 1 and 100"),
        (
            "[s3]\nbucket = 'files'\nmax_object_size = '48.9 TiB'",
            "d.toml: s3.max_object_size must be between 1 and 53687091200000, not 537",
        ),
        (
            "[s3]\nbucket = 'files'\nstorage_class = 'GLACIER'",
            "d.toml: s3.storage_class can't be GLACIER: no file could be read",
        ),
        (
            "[s3]\nbucket = 'files'\nstorage_class = 'standard_ia'",
            "d.toml: s3.storage_class is written in capital letters: 'STANDARD_IA', not",
        ),
        (
            "[s3]\nbucket = 'files'\nstorage_class = 'a b'",
            "d.toml: s3.storage_class must be a word of ASCII letters: 'a b'",
        ),
        (
            "[s3]\nbucket = 'files'\nencryption = 'kms'",
            "d.toml: s3.encryption must be one of 'AES256', 'aws:kms', not 'kms'",
        ),
        (
            "[s3]\nbucket = 'files'\nkms_key_id = 'alias/k'",
            'd.toml: s3.kms_key_id needs encryption = "aws:kms"',
        ),
        (
            "[s3]\nbucket = 'files'\nencryption = 'AES256'\nbucket_key = true",
            'd.toml: s3.bucket_key needs encryption = "aws:kms"',
        ),
        (
            "[s3]\nbucket = 'files'\nencryption = 'aws:kms'\nkms_key_id = ''",
            "d.toml: s3.kms_key_id must be a word of ASCII letters: ''",
        ),
        (
            "[s3]\nbucket = 'files'\ncopy_without = ['tag']",
            "d.toml: s3.copy_without[0] must be one of 'storage_class', 'encryption', 'acl', 't",
        ),
        (
            "[s3]\nbucket = 'files'\nacl = 'all'",
            "d.toml: s3.acl must be one of 'private', 'bucket-",
        ),
        ("[embedded]\n[access]\nrealm = 'ä'", "d.toml: access.realm must be ASCII"),
        ("[embedded]\n[server]\ntls_cert = 'c'", "d.toml: server.tls_cert needs its private key"),
        ("[embedded]\n[server]\ntls_key = 'k'", "d.toml: server.tls_key needs its certificate"),
    ],
)
def test_a_mistake_in_the_file_is_reported_by_its_key(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert complaint_about(tmp_path, text).startswith(expected)


def test_a_password_may_be_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ada.password").write_bytes("sésame\r\nmore".encode())
    (tmp_path / "d.toml").write_text(
        "[embedded]\n[access]\nusers = [{ name = 'ada', password_file = 'ada.password' }]"
    )
    hashed: list[str] = []

    def hash_password(password: str) -> str:
        hashed.append(password)
        return HASH

    settings = load({}, tmp_path / "d.toml", hash_password=hash_password)
    assert [user.password_hash for user in settings.access.users] == [HASH]
    assert hashed == ["sésame"]


def test_a_user_name_can_be_given_once(tmp_path: Path) -> None:
    user = f'{{ name = "ada", password_hash = "{HASH}" }}'
    text = f"[embedded]\n[access]\nusers = [{user}, {user}]"
    assert complaint_about(tmp_path, text, flags={}) == "d.toml: access.users has 'ada' twice"


def test_users_and_no_login_exclude_each_other(tmp_path: Path) -> None:
    user = f'{{ name = "ada", password_hash = "{HASH}" }}'
    text = f"[embedded]\n[access]\nanonymous = true\nusers = [{user}]"
    message = complaint_about(tmp_path, text, flags={})
    assert message == "d.toml: access.anonymous and users exclude each other"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"server.port": 70000}, "--port must be between 0 and 65535, not 70000"),
        ({"server.tls_cert": Path("c")}, "--tls-cert needs its private key: give --tls-key"),
        ({"server.host": "a b"}, "--host must be an address or a host name, not 'a b'"),
        ({"s3.endpoint_url": "http://s3:9000"}, "--endpoint-url needs a bucket"),
        ({"s3.region": "eu"}, "--region needs a bucket"),
        (
            {"s3.bucket": "files", "s3.endpoint_url": "localhost:9000"},
            "--endpoint-url must look like https://HOST or http://HOST:PORT, not 'localhost:9000'",
        ),
        (
            {"s3.bucket": "files", "s3.endpoint_url": "http://[::1"},
            "--endpoint-url must look like",
        ),
        (
            {"s3.bucket": "files", "embedded.directory": None},
            "BUCKET and --embedded exclude each other",
        ),
        ({"access.user": "ada"}, "choose one of --user and --anonymous"),
    ],
)
def test_a_mistake_in_a_flag_is_reported_by_the_flag(
    tmp_path: Path, flags: dict[str, Any], expected: str
) -> None:
    assert complaint_about(tmp_path, None, {**OPEN, **flags}).startswith(expected)


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    missing = tmp_path / "no.toml"
    with pytest.raises(ConfigError, match=r"no\.toml: can't be read: No such file"):
        load(OPEN, missing, hash_password=str)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'[access]\nrealm = "\xe4"')
    with pytest.raises(ConfigError, match=r"latin\.toml: is not UTF-8 \(byte 19\)"):
        load(OPEN, latin, hash_password=str)


def test_a_user_flag_needs_a_password_in_the_environment(tmp_path: Path) -> None:
    for environ in ({"HOME": "/h"}, {"HOME": "/h", "DAVBRIDGE_PASSWORD": ""}):
        message = complaint_about(tmp_path, None, {"access.user": "ada"}, environ)
        assert message.startswith("--user needs its password: in the environment as DAVBRIDGE_P")


def test_a_user_flag_with_a_colon_is_refused_by_its_name(tmp_path: Path) -> None:
    message = complaint_about(
        tmp_path, "[embedded]", {"access.user": "a:b"}, {"DAVBRIDGE_PASSWORD": "pw"}
    )
    assert message.startswith("--user must be a name without ':'")


def test_a_drive_where_nobody_can_log_in_is_refused(tmp_path: Path) -> None:
    message = complaint_about(tmp_path, None, {})
    assert "--anonymous" in message
    assert "--user NAME" in message
    assert "users in a configuration file" in message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_a_drive_for_this_machine_alone_needs_no_login(tmp_path: Path, host: str) -> None:
    assert is_loopback(host)
    assert settings_of(tmp_path, None, {**OPEN, "server.host": host}).access.anonymous


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "localhost.org"])
def test_other_machines_need_a_login_unless_insecure(tmp_path: Path, host: str) -> None:
    flags = {**OPEN, "server.host": host}
    assert complaint_about(tmp_path, None, flags).startswith("--anonymous would let everybody")
    assert settings_of(tmp_path, None, {**flags, "access.insecure": True}).access.anonymous


def test_passwords_cross_the_network_only_under_tls_unless_insecure(tmp_path: Path) -> None:
    environ = {"DAVBRIDGE_PASSWORD": "pw", "HOME": "/h"}
    flags = {"access.user": "ada", "server.host": "0.0.0.0"}
    assert "in the clear" in complaint_about(tmp_path, None, flags, environ)
    tls = {"server.tls_cert": Path("c"), "server.tls_key": Path("k")}
    assert settings_of(tmp_path, None, {**flags, **tls}, environ).server.tls_cert == Path("c")
    insecure = settings_of(tmp_path, None, {**flags, "access.insecure": True}, environ)
    assert insecure.access.insecure


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("0", 0),
        ("10 GiB", 10 * 1024**3),
        ("10GiB", 10 * 1024**3),
        ("1.5 TB", 1_500_000_000_000),
        ("0.1 KB", 100),
        ("9" * 400, int("9" * 400)),
        ("10 gib", None),
        ("GiB", None),
        ("-1 KB", None),
        ("1e3", None),
        ("1 2", None),
        ("", None),
        ("\u0661 KB", None),
    ],
)
def test_sizes_are_numbers_with_a_unit(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("setting", sorted(FLAGS.keys() - {"s3.bucket", "s3.prefix"}))
def test_each_flag_is_one_of_the_command_line(setting: str) -> None:
    values = {"server.port": ["8080"], "log.level": ["debug"], "drive.read_only": []}
    values |= {"access.anonymous": [], "access.insecure": [], "log.json": []}
    _, flags = parse(["serve", FLAGS[setting], *values.get(setting, ["value"])])
    assert flags.keys() == {setting}


def test_a_place_is_one_argument() -> None:
    assert parse(["serve", "bucket/prefix"])[1] == {"s3.bucket": "bucket/prefix"}
