"""Other people's hosts: advertisements and trackers, each answered after a while, and counted."""

import argparse
import asyncio

CONTROL = "127.0.0.1"  # answers only /hits: how many requests there have been since it was last asked
HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")  # all of 127/8 is this machine
LATENCY = 0.05  # seconds
GIF = bytes.fromhex("47494638396101000100800000e6194b0000002c00000000010001000002024401003b")
SCRIPT = b"""document.querySelectorAll('.slot:empty')[0]?.append(
  Object.assign(document.createElement('p'), {textContent: 'Advertisement'}));
"""


class Ads:
    """Answers every path, and remembers how often."""

    def __init__(self) -> None:
        """Begin at none."""
        self.hits = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it is closed."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                kind, body = await self.answer(head.split(b" ", 2)[1])
                fields = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nCache-Control: no-store\r\n"
                writer.write(f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode() + body)
        except (EOFError, ConnectionError):
            pass  # the browser has gone
        finally:
            writer.close()

    async def answer(self, path: bytes) -> tuple[str, bytes]:
        """Give the type and the body of what is asked for."""
        if path == b"/hits":
            hits, self.hits = self.hits, 0
            return "text/plain", str(hits).encode()
        self.hits += 1
        await asyncio.sleep(LATENCY)
        return ("text/javascript", SCRIPT) if path.endswith(b".js") else ("image/gif", GIF)


async def serve(port: int) -> None:
    """Listen on every host until ended."""
    ads = Ads()
    servers = [await asyncio.start_server(ads.connection, host, port) for host in (CONTROL, *HOSTS)]
    await asyncio.gather(*[server.serve_forever() for server in servers])


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on each of the hosts")
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
