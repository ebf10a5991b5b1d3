#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Sets everything up and leaves the whole mesh running in the foreground, with its state in .malla (or MALLA_DATA).
set -u
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

port=${APP_API_PORT:-8007}
export MALLA_DATA=${MALLA_DATA:-$PWD/.malla} MARKETPLACE_TOKEN=${MARKETPLACE_TOKEN:-dev-token}
(umask 077 && mkdir -p "$MALLA_DATA") || exit 1
pictures=$MALLA_DATA/pictures
[ -f "$pictures/photo.png" ] || "$MALLA_PYTHON" demo/gallery.py "$pictures" >/dev/null || exit 1

"$malla" dev --port "$port" --data "$MALLA_DATA" "$@" &
mesh=$!
trap 'kill -TERM $mesh 2>/dev/null' INT TERM HUP

# Puts a photograph into the media store as soon as the mesh is up, and prints what to try with it.
"$MALLA_PYTHON" - "http://127.0.0.1:$port" "$pictures/photo.png" "$mesh" <<'PY'
import json, os, signal, sys, time, urllib.request

signal.signal(signal.SIGINT, signal.SIG_DFL)
base, photo, mesh = sys.argv[1], sys.argv[2], int(sys.argv[3])
token = os.environ["MARKETPLACE_TOKEN"].split(",")[0]
headers = {"x-marketplace-token": token, "x-user-id": "me", "content-type": "application/json"}
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

def request(method, url, body=None, headers={}):
    with opener.open(urllib.request.Request(url, data=body, method=method, headers=headers), timeout=30) as response:
        return response.read()

while True:
    try:
        os.kill(mesh, 0)
        request("GET", base + "/readyz")
        break
    except ProcessLookupError:
        sys.exit()
    except OSError:
        time.sleep(0.2)
data = json.loads(request("POST", base + "/upload?s3_key=photo.png", b"", headers))["data"]
request("PUT", data["presignedUrl"], open(photo, "rb").read(), {"content-type": "image/png"})
call = json.dumps({"method": "identify", "payload": {"image": data["reference"]}})
curl = "  curl -s " + " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
app = base + "/face-recognition"
print("\nThe mesh is up. Three lines to try in another terminal (each a request, its result, your numbers):\n")
print(f"{curl} -d '{call}' {app}/call\n")
print(f"{curl} -d '{{\"taskId\":\"THE-TASK-ID\"}}' {app}/result\n")
print(f"{curl} -d '{{}}' {app}/stats\n")
print(f"Ctrl-C ends it; the state stays in {os.environ['MALLA_DATA']}.\n", flush=True)
PY

# A signal interrupts the first wait; the second one sees the mesh end.
wait "$mesh"
code=$?
if kill -0 "$mesh" 2>/dev/null; then
    wait "$mesh"
    code=$?
fi
exit $code
