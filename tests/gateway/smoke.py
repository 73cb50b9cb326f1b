"""Run by `make smoke` in the wheel's own environment: the page comes out of the wheel. Needs no Kafka."""

import re
import subprocess
import sys
import urllib.error
import urllib.request

with subprocess.Popen(
    [sys.argv[1], "gateway", "--set", "http.port=0", "--set", "kafka.bootstrap_servers=127.0.0.1:9"],
    stderr=subprocess.PIPE,
    text=True,
) as gateway:
    assert gateway.stderr is not None
    url = next(found[1] for line in gateway.stderr if (found := re.search(r"gateway on (http://\S+)", line)))
    page = urllib.request.urlopen(url, timeout=10).read().decode()
    parts = re.findall(r'"(/static/[^"]+)"', page)
    assert "/static/main.js" in parts, parts
    for part in parts:
        assert urllib.request.urlopen(url + part, timeout=10).read(), part
    try:
        urllib.request.urlopen(f"{url}/static/plotly.min.js", timeout=10)
        print("page served, with plotly")
    except urllib.error.HTTPError as error:
        told = error.read().decode()
        assert "stream-lstm[plots]" in told, told
        print("page served; without plotly it says what to install")
    gateway.terminate()
    gateway.communicate()
assert gateway.returncode == 0, gateway.returncode
