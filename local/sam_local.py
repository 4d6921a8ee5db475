"""The template's functions in the containers of `sam local`, on the databases of a running `make run`.

Those databases listen on 127.0.0.1, where no container gets to. So for as long as this runs, a port for each of them is
open on the address that this machine has on the engine's bridge, and leads there: containers reach it, other machines do
not. Where no image can be pulled, `--offline` makes a base image of this machine's own C library, and SAM starts from it.

Must never print what it passes on, nor leave a port or a container behind.

Usage: sam_local.py [--offline] [--run-port <PORT>] start-api <port>
       sam_local.py [--offline] [--run-port <PORT>] invoke <function> <event file>
"""

import argparse
import asyncio
import contextlib
import fcntl
import io
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAM = pathlib.Path(sys.executable).with_name("sam")
# samconfig.toml names it too.
BASE_IMAGE = "lambda-base:al2023"
# What SAM calls in a base image while it adds the emulator.
COMMANDS = ("sh", "mv", "chmod")
# What the C library opens by itself to resolve a name.
RESOLVES = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
DATABASES = {"MONGODB_URI": 27017, "REDIS_URL": 6379}
TOKEN = "${ACCESS_TOKEN}"
READ_AT_MOST = 65536


def refuse(text):
    sys.exit(f"Error: {text}")


def docker(*arguments, data=None):
    run = subprocess.run(["docker", *arguments], input=data, capture_output=True, check=False)
    if run.returncode != 0:
        refuse(f"docker {arguments[0]}: {run.stderr.decode(errors='replace').strip()}")
    return run.stdout.decode()


def check_engine():
    if shutil.which("docker") is None:
        refuse("docker is missing: sam local starts containers (Debian: apt install docker.io)")
    docker("version", "--format", "{{.Server.Version}}")


# ---- the databases of make run -------------------------------------------------------------------------------------------
def variables_of_run(port):
    """What the server on the port uses: its databases and secrets. It holds a lock for as long as it runs."""
    home = ROOT / ".local" / "run" / str(port)
    try:
        with (home / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(FileNotFoundError):
            return json.loads((home / "state.json").read_text())
        refuse(f"the server on port {port} is not ready yet: try again in a moment")
    except FileNotFoundError:
        pass
    return refuse(f"nothing runs on port {port}: start make run in another terminal first (PORT={port})")


def bridge_address():
    """This machine's address on the engine's bridge."""
    (network,) = json.loads(docker("network", "inspect", "bridge"))
    (config, *_) = network["IPAM"]["Config"]
    return config.get("Gateway") or str(ipaddress.ip_network(config["Subnet"])[1])


def is_loopback(host):
    return host == "localhost" or host.startswith("127.")


async def carry(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(READ_AT_MOST):
            writer.write(data)
            await writer.drain()
    writer.close()


async def open_port(address, host, port):
    """A free port of the address that leads to host:port; its number."""

    async def accept(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    try:
        server = await asyncio.start_server(accept, address, 0)
    except OSError as error:
        refuse(
            f"{address} is the engine's bridge and no address of this machine ({error.strerror}): use databases in "
            "containers instead (docs/sam-local.md)"
        )
    return server.sockets[0].getsockname()[1]


class Ports:
    """The open ports, served by a thread that ends with the process."""

    def __init__(self, address):
        self.address = address
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def reachable(self, name, uri):
        """The URI as a container can use it."""
        parts = urllib.parse.urlsplit(uri)
        user, at, place = parts.netloc.rpartition("@")
        if "," in place and any(is_loopback(host.split(":")[0]) for host in place.split(",")):
            refuse(f"{name} names several servers of this machine; name one")
        if not is_loopback(parts.hostname or ""):
            return uri
        opened = open_port(self.address, parts.hostname, parts.port or DATABASES[name])
        port = asyncio.run_coroutine_threadsafe(opened, self.loop).result()
        parts = parts._replace(netloc=f"{user}{at}{self.address}:{port}")
        if name == "MONGODB_URI":
            # The replica set names its members as this machine reaches them.
            query = [*urllib.parse.parse_qsl(parts.query), ("directConnection", "true")]
            parts = parts._replace(path=parts.path or "/", query=urllib.parse.urlencode(query))
        return urllib.parse.urlunsplit(parts)


# ---- a base image of this machine's own files -----------------------------------------------------------------------------
def libraries(bootstrap):
    """The shared libraries of a bootstrap, as this machine's loader finds them."""
    listed = subprocess.run(["ldd", str(bootstrap)], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        refuse(f"{bootstrap} cannot be read by ldd")
    found = [pathlib.Path(word) for word in listed.stdout.split() if word.startswith("/")]
    beside = [found[0].parent / name for name in RESOLVES]
    return [*found, *(path for path in beside if path.exists())]


def base_image_root(busybox, paths):
    """The tar of the image's root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as root:
        for folder in ("tmp", "opt", "var/task", "var/runtime"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            root.addfile(entry)
        root.add(os.path.realpath(busybox), "bin/busybox")
        for command in COMMANDS:
            entry = tarfile.TarInfo(f"bin/{command}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            root.addfile(entry)
        for path in sorted(set(paths)):
            root.add(path.resolve(), str(path).lstrip("/"))
        text = b"hosts: files dns\n"
        entry = tarfile.TarInfo("etc/nsswitch.conf")
        entry.size = len(text)
        root.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


def make_base_image(bootstraps):
    busybox = shutil.which("busybox")
    if busybox is None:
        refuse("busybox is missing: install a static one (Debian: apt install busybox-static)")
    paths = [path for bootstrap in bootstraps for path in libraries(bootstrap)]
    docker("import", "--change", "WORKDIR /var/task", "-", BASE_IMAGE, data=base_image_root(busybox, paths))


# ---- sam -----------------------------------------------------------------------------------------------------------------
def built():
    found = sorted((ROOT / "target" / "lambda").glob("*/bootstrap"))
    return found or refuse("target/lambda is empty: run make build first")


def demo_login():
    """The one that `make run` greets with."""
    source = (ROOT / "local" / "src" / "demo.rs").read_text()
    return {name.lower(): re.search(f'{name}: &str = "(.+)";', source)[1] for name in ("EMAIL", "PASSWORD")}


def access_token(port):
    """Of the demo login, by the server that runs."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/auth/login", json.dumps(demo_login()).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["tokens"]["accessToken"]
    except urllib.error.URLError as error:
        return refuse(f"the server on port {port} does not let the demo user in ({error})")


def event_of(path, port):
    try:
        text = pathlib.Path(path).read_text()
    except OSError as error:
        refuse(f"{path} cannot be read ({error.strerror}): EVENT names a file of events/")
    return text.replace(TOKEN, access_token(port)) if TOKEN in text else text


def logical_id(function):
    return "".join(word.capitalize() for word in function.split("-")) + "Function"


def run_sam(arguments, environment, data=None):
    """Runs it to its end. A signal is for SAM, which then stops its containers; a terminal's Ctrl-C reaches it by itself."""
    process = subprocess.Popen([str(SAM), "local", *arguments], cwd=ROOT, env=environment, stdin=subprocess.PIPE if data else None)
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, lambda *_: None)
    process.communicate(data.encode() if data else None)
    return process.returncode


def main():
    arguments = argparse.ArgumentParser(usage=__doc__.rsplit("Usage: ", maxsplit=1)[1].strip())
    arguments.add_argument("--offline", action="store_true")
    arguments.add_argument("--run-port", type=int, default=3000)
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("start-api").add_argument("port", type=int)
    invoke = commands.add_parser("invoke")
    invoke.add_argument("function")
    invoke.add_argument("event")
    given = arguments.parse_args()

    check_engine()
    bootstraps = built()
    variables = variables_of_run(given.run_port)
    if given.offline:
        make_base_image(bootstraps)
    ports = Ports(bridge_address())
    variables |= {name: ports.reachable(name, variables[name]) for name in DATABASES}
    # SAM hands on those that the template names. It wants a region, and keys that nobody looks at.
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ, **variables, "SAM_CLI_TELEMETRY": "0"}
    options = ["--config-env", "offline" if given.offline else "default"]
    if given.command == "start-api":
        return run_sam(["start-api", *options, "--port", str(given.port)], environment)
    event = event_of(given.event, given.run_port)
    return run_sam(["invoke", logical_id(given.function), *options, "--event", "-"], environment, event)


if __name__ == "__main__":
    sys.exit(main())
