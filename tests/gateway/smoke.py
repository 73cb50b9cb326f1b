"""Run by `make smoke` in the wheel's own environment: the page comes out of the wheel. Needs no Kafka."""

import re
import subprocess
import sys
import urllib.error
import urllib.request


def check(command: str) -> str:
    """Start the gateway, fetch all that its page loads, stop it; what was found."""
    options = ["--set", "http.port=0", "--set", "kafka.bootstrap_servers=127.0.0.1:9"]
    with subprocess.Popen([command, "gateway", *options], stderr=subprocess.PIPE, text=True) as gateway:
        assert gateway.stderr is not None
        url = next(at[1] for line in gateway.stderr if (at := re.search(r"gateway on (http://\S+)", line)))
        page = urllib.request.urlopen(url, timeout=10).read().decode()
        parts = re.findall(r'"(/static/[^"]+)"', page)
        assert "/static/main.js" in parts, parts
        for part in parts:
            assert urllib.request.urlopen(url + part, timeout=10).read(), part
        found = _plotly(url)
        gateway.terminate()
        gateway.communicate()
    assert gateway.returncode == 0, gateway.returncode
    return found


def _plotly(url: str) -> str:
    try:
        urllib.request.urlopen(f"{url}/static/plotly.min.js", timeout=10)
    except urllib.error.HTTPError as error:
        told = error.read().decode()
        assert "stream-lstm[plots]" in told, told
        return "page served; without plotly it says what to install"
    return "page served, with plotly"


if __name__ == "__main__":
    print(check(sys.argv[1]))
