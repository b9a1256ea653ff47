"""RFC 4918 on WsgiDAV: a provider over the namespace, and a request server of our own."""
