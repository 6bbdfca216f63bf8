"""A WebSocket peer that is not ours, on Debian's python3-websockets.

    peer.py connect URL SCENARIO SIZE...
    peer.py serve SCENARIO SIZE...       prints the port it listens on

Scenarios, seen from this side, each on one connection:

    upload     send files with the 8-byte header, each followed by its hash
    download   receive files with the 8-byte header, answer each with its hash
    frames     send frames with the 12-byte header, two at a time interleaved,
               then their hashes
    collect    receive as many frames as there are sizes, answer with the hashes

Hashes are SHA-256 in hexadecimal, in a text message, separated by spaces.
"""

import asyncio
import hashlib
import os
import struct
import sys

import websockets

CHUNK = 48 * 1024


def chunks(data):
    return [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)] or [b""]


def digest(data):
    return hashlib.sha256(data).hexdigest()


async def upload(ws, sizes):
    for size in sizes:
        data = os.urandom(size)
        parts = chunks(data)
        for index, part in enumerate(parts):
            await ws.send(struct.pack("<II", index, len(parts)) + part)
        await ws.send(digest(data))


async def download(ws, sizes):
    for size in sizes:
        parts, total = {}, 1
        while len(parts) < total:
            message = await ws.recv()
            assert isinstance(message, bytes)
            index, total = struct.unpack_from("<II", message)
            assert index < total and index not in parts
            parts[index] = message[8:]
        data = b"".join(parts[i] for i in range(total))
        assert len(data) == size, (len(data), size)
        await ws.send(digest(data))
    await ws.wait_closed()
    assert ws.close_code == 1000, ws.close_code


async def frames(ws, sizes):
    data = [os.urandom(size) for size in sizes]
    for first in range(0, len(data), 2):
        queue = []
        for frame in range(first, min(first + 2, len(data))):
            parts = chunks(data[frame])
            for index, part in enumerate(parts):
                header = struct.pack("<III", frame, index, len(parts))
                queue.append((index, frame, header + part))
        for _, _, message in sorted(queue):
            await ws.send(message)
    await ws.send(" ".join(digest(d) for d in data))


async def collect(ws, sizes):
    open_frames, done = {}, {}
    while len(done) < len(sizes):
        message = await ws.recv()
        frame, index, total = struct.unpack_from("<III", message)
        parts = open_frames.setdefault(frame, {})
        assert index < total and index not in parts
        parts[index] = message[12:]
        if len(parts) == total:
            done[frame] = b"".join(parts[i] for i in range(total))
    for frame, size in enumerate(sizes):
        assert len(done[frame]) == size
    await ws.send(" ".join(digest(done[i]) for i in range(len(sizes))))
    await ws.wait_closed()
    assert ws.close_code == 1000, ws.close_code


async def connect(url, scenario, sizes):
    async with websockets.connect(url) as ws:
        await scenario(ws, sizes)


async def serve(scenario, sizes):
    outcome = asyncio.get_running_loop().create_future()

    async def handler(ws, *_):
        try:
            await scenario(ws, sizes)
            outcome.set_result(None)
        except BaseException as error:
            outcome.set_exception(error)
            raise

    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await outcome


def main(role, *args):
    known = {f.__name__: f for f in (upload, download, frames, collect)}
    if role == "connect":
        url, scenario, *sizes = args
        task = connect(url, known[scenario], [int(s) for s in sizes])
    else:
        scenario, *sizes = args
        task = serve(known[scenario], [int(s) for s in sizes])
    asyncio.run(asyncio.wait_for(task, 100))


main(*sys.argv[1:])
