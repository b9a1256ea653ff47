"""The clients of the replay cases: what each sends with every request, and its XML bodies.

Headers and elements are what these versions put on the wire; names, prefixes and white space are
part of it, since a server that compares text instead of parsing it fails on them.
"""

from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime

XML_TEXT = {"Content-Type": 'text/xml; charset="utf-8"'}
XML_APPLICATION = {"Content-Type": "application/xml"}

FINDER = {
    "User-Agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.6.0 (arm64)",
    "Accept": "*/*",
    "Accept-Language": "en-us",
    "Cache-Control": "no-cache",
}
EXPLORER = {
    "User-Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045",
    "Connection": "Keep-Alive",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "translate": "f",
}
OFFICE_DISCOVERY = {
    "User-Agent": "Microsoft Office Protocol Discovery",
    "X-Office-Major-Version": "16",
    "X-MS-CookieUri-Requested": "t",
    "X-FeatureVersion": "1",
    "Accept-Auth": "badger,Wlid1.1,Bearer,Basic,NTLM,Digest,Kerberos,Negotiate,Nego2",
}
OFFICE_EXISTENCE = {"User-Agent": "Microsoft Office Existence Discovery"}
WORD = {
    "User-Agent": "Microsoft Office Word 2016",
    "X-Office-Major-Version": "16",
    "X-MSGETWEBURL": "t",
    "X-IDCRL_ACCEPTED": "t",
    "Translate": "f",
}
LIBREOFFICE = {"User-Agent": "LibreOffice 7.4.7.2", "Accept-Encoding": "gzip, deflate"}
GVFS = {
    "User-Agent": "gvfs/1.50.3",
    "Accept-Language": "en-us, en;q=0.9",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "Keep-Alive",
}
KIO = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) KIO/5.103 dolphin/22.12.3",
    "Accept-Encoding": "gzip, deflate, x-gzip, x-deflate",
    "Accept-Charset": "utf-8,*;q=0.5",
    "Accept-Language": "en-US,en;q=0.9",
}
DAVFS2 = {"User-Agent": "davfs2/1.6.1 neon/0.32.5", "TE": "trailers", "Connection": "TE"}
CADAVER = {"User-Agent": "cadaver/0.24 neon/0.32.5", "TE": "trailers", "Connection": "TE"}
RCLONE = {"User-Agent": "rclone/v1.75.2", "Accept-Encoding": "gzip"}
CYBERDUCK = {
    "User-Agent": "Cyberduck/9.1.2.42722 (Mac OS X/14.5) (aarch64)",
    "Accept-Encoding": "gzip,deflate",
    "Connection": "Keep-Alive",
}
NEXTCLOUD = {
    "User-Agent": "Mozilla/5.0 (Linux) mirall/3.7.3git (Nextcloud, debian-6.1.0-21-amd64)",
    "Accept": "*/*",
    "Accept-Language": "en-US,*",
    "Accept-Encoding": "gzip, deflate",
}
NPM_WEBDAV = {"User-Agent": "node-fetch", "Accept": "text/plain,application/xml"}
WEBDAV4 = {"User-Agent": "python-httpx/0.28.1", "Accept": "*/*"}
WEBDAVCLIENT3 = {"User-Agent": "python-requests/2.32.3", "Accept": "*/*"}
CURL = {"User-Agent": "curl/7.88.1", "Accept": "*/*"}

ALL = {
    "Finder": FINDER,
    "Explorer": EXPLORER,
    "Word": WORD,
    "LibreOffice": LIBREOFFICE,
    "gvfs": GVFS,
    "KIO": KIO,
    "davfs2": DAVFS2,
    "cadaver": CADAVER,
    "rclone": RCLONE,
    "Cyberduck": CYBERDUCK,
    "Nextcloud": NEXTCLOUD,
    "curl": CURL,
}


def _finder_propfind(*names: str) -> str:
    inside = "".join(f"<D:{name}/>\n" for name in names)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<D:propfind xmlns:D="DAV:">\n<D:prop>\n'
        f"{inside}</D:prop>\n</D:propfind>\n"
    )


FINDER_STAT = _finder_propfind(
    "getlastmodified", "getcontentlength", "creationdate", "resourcetype"
)
FINDER_QUOTA = _finder_propfind("quota-available-bytes", "quota-used-bytes", "quota", "quotaused")
FINDER_IS_EMPTY = _finder_propfind("resourcetype")
FINDER_LOCK = (
    '<?xml version="1.0" encoding="utf-8"?>\n<D:lockinfo xmlns:D="DAV:">\n'
    "<D:lockscope><D:exclusive/></D:lockscope>\n<D:locktype><D:write/></D:locktype>\n"
    "<D:owner>\n<D:href>http://www.apple.com/webdav_fs/</D:href>\n</D:owner>\n</D:lockinfo>\n"
)

EXPLORER_LOCK = (
    '<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope>'
    "<D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>"
    "<D:href>DESKTOP-7QK2\\anna</D:href></D:owner></D:lockinfo>"
)


def explorer_patch(**properties: str) -> str:
    """``Win32LastModifiedTime="…"`` and the like."""
    inside = "".join(f"<Z:{name}>{value}</Z:{name}>" for name, value in properties.items())
    return (
        '<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" '
        f'xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>{inside}</D:prop></D:set>'
        "</D:propertyupdate>"
    )


def win32_times(modified: datetime) -> str:
    """What Explorer sets on a file that it has just copied."""
    return explorer_patch(
        Win32CreationTime="Mon, 03 Apr 2023 06:20:01 GMT",
        Win32LastAccessTime="Thu, 29 Feb 2024 23:59:59 GMT",
        Win32LastModifiedTime=http_date(modified),
        Win32FileAttributes="00000020",
    )


LIBREOFFICE_LOCK = (
    '<?xml version="1.0" encoding="UTF-8"?><lockinfo xmlns="DAV:"><lockscope><exclusive/>'
    "</lockscope><locktype><write/></locktype><owner>Anna Example</owner></lockinfo>"
)

GVFS_PARENT = (
    '<?xml version="1.0" encoding="utf-8" ?>\n <D:propfind xmlns:D="DAV:">\n  <D:prop>\n'
    "<D:resourcetype/>\n<D:getcontentlength/>\n  </D:prop>\n </D:propfind>"
)
GVFS_LIST = (
    '<?xml version="1.0" encoding="utf-8" ?>\n <D:propfind xmlns:D="DAV:">\n  <D:prop>\n'
    "<D:creationdate/>\n<D:displayname/>\n<D:getcontentlength/>\n<D:getcontenttype/>\n"
    "<D:getetag/>\n<D:getlastmodified/>\n<D:resourcetype/>\n  </D:prop>\n </D:propfind>"
)
GVFS_QUOTA = (
    '<?xml version="1.0" encoding="utf-8" ?>\n <D:propfind xmlns:D="DAV:">\n  <D:prop>\n'
    "<D:quota-available-bytes/>\n<D:quota-used-bytes/>\n  </D:prop>\n </D:propfind>"
)
KIO_LIST = (
    '<?xml version="1.0" encoding="utf-8" ?><D:propfind xmlns:D="DAV:"><D:prop>'
    "<D:creationdate/><D:getcontentlength/><D:displayname/><D:source/><D:getcontentlanguage/>"
    "<D:getcontenttype/><D:getlastmodified/><D:getetag/><D:supportedlock/><D:lockdiscovery/>"
    "<D:resourcetype/></D:prop></D:propfind>"
)

DAVFS2_LIST = (
    '<?xml version="1.0" encoding="utf-8"?>\r\n<propfind xmlns="DAV:"><prop>\r\n'
    '<resourcetype xmlns="DAV:"/>\r\n<getcontentlength xmlns="DAV:"/>\r\n'
    '<getetag xmlns="DAV:"/>\r\n<getlastmodified xmlns="DAV:"/>\r\n'
    '<executable xmlns="http://apache.org/dav/props/"/>\r\n</prop></propfind>\r\n'
)
DAVFS2_EXECUTABLE = (
    '<?xml version="1.0" encoding="utf-8" ?>\r\n<D:propertyupdate xmlns:D="DAV:"><D:set>'
    '<D:prop><executable xmlns="http://apache.org/dav/props/">{}</executable></D:prop></D:set>'
    "\r\n</D:propertyupdate>\r\n"
)


def neon_lock(scope: str = "exclusive", owner: str = "davfs2") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<lockinfo xmlns=\'DAV:\'>\n '
        f"<lockscope><{scope}/></lockscope>\n<locktype><write/></locktype>"
        f"<owner>{owner}</owner>\n</lockinfo>\n"
    )


RCLONE_STAT = (
    '<?xml version="1.0"?>\n<d:propfind  xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" '
    'xmlns:nc="http://nextcloud.org/ns">\n <d:prop>\n  <d:displayname />\n'
    "  <d:getlastmodified />\n  <d:getcontentlength />\n  <d:resourcetype />\n"
    "  <d:getcontenttype />\n  <oc:checksums />\n  <oc:permissions />\n </d:prop>\n</d:propfind>\n"
)
CYBERDUCK_PATCH = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><D:propertyupdate xmlns:D="DAV:">'
    '<D:set><D:prop><s:lastmodified xmlns:s="SAR:">{}</s:lastmodified>'
    '<s:lastmodified-server xmlns:s="SAR:">Fri, 01 Mar 2024 12:00:00 GMT</s:lastmodified-server>'
    "</D:prop></D:set></D:propertyupdate>"
)
NEXTCLOUD_LIST = (
    '<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:"><d:prop>'
    '<resourcetype xmlns="DAV:"/><getlastmodified xmlns="DAV:"/><getcontentlength xmlns="DAV:"/>'
    '<getetag xmlns="DAV:"/><quota-available-bytes xmlns="DAV:"/><quota-used-bytes xmlns="DAV:"/>'
    '<size xmlns="http://owncloud.org/ns"/><id xmlns="http://owncloud.org/ns"/>'
    '<permissions xmlns="http://owncloud.org/ns"/><checksums xmlns="http://owncloud.org/ns"/>'
    "</d:prop></d:propfind>"
)
NPM_LOCK = (
    '<?xml version="1.0"?><d:lockinfo xmlns:d="DAV:"><d:lockscope><d:exclusive/></d:lockscope>'
    "<d:locktype><d:write/></d:locktype><d:owner><d:href>/f.txt</d:href></d:owner></d:lockinfo>"
)


def named(*names: str) -> str:
    """A PROPFIND body for Clark names."""
    inside = "".join('<x:{1} xmlns:x="{0}"/>'.format(*name[1:].split("}")) for name in names)
    return f'<D:propfind xmlns:D="DAV:"><D:prop>{inside}</D:prop></D:propfind>'


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def chunks(body: bytes, size: int = 5) -> Iterator[bytes]:
    """For a body that is sent chunked."""
    return (body[at : at + size] for at in range(0, len(body), size))
