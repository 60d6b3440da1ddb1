#!/bin/bash
# Asks the process of this container for /healthz at HOMEPORT_HTTP (host:port); none has nothing to be asked.
set -eu
[ -n "${HOMEPORT_HTTP:-}" ] || exit 0
exec 3<>"/dev/tcp/${HOMEPORT_HTTP%:*}/${HOMEPORT_HTTP#*:}"
printf 'GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$HOMEPORT_HTTP" >&3
read -r _ code _ <&3
[ "$code" = 200 ]
