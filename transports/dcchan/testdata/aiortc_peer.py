"""A peer that is not ours: aiortc, speaking the two chunk protocols.

    aiortc_peer.py files URL SIZE...    uploads files, takes files
    aiortc_peer.py frames URL COUNT     sends frames, takes frames

URL answers SDP offers by HTTP POST. Each result is one line on standard
output, "sent KEY SHA256" or "got KEY SHA256"; the test compares them.
"""

import asyncio
import hashlib
import random
import struct
import sys
import urllib.request

import aioice.ice
from aiortc import RTCPeerConnection, RTCSessionDescription

CHUNK = 49152
HIGH = 262144
FRAME = 400_000

# Works without any network: aioice leaves the loopback interface out.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


def report(what, key, payload):
    print(what, key, hashlib.sha256(payload).hexdigest(), flush=True)


def chunks(payload):
    total = max(1, -(-len(payload) // CHUNK))
    for index in range(total):
        yield index, total, payload[index * CHUNK : (index + 1) * CHUNK]


async def send(channel, message):
    while channel.bufferedAmount > HIGH:
        await asyncio.sleep(0.005)
    channel.send(message)
    await asyncio.sleep(0)


class Collector:
    """Chunks by index until all are there."""

    def __init__(self):
        self.parts = {}

    def add(self, index, total, payload):
        assert 0 <= index < total and index not in self.parts, (index, total)
        self.parts[index] = payload
        if len(self.parts) == total:
            return b"".join(self.parts[i] for i in range(total))


async def connect(pc, url):
    await pc.setLocalDescription(await pc.createOffer())

    def post():
        request = urllib.request.Request(
            url,
            data=pc.localDescription.sdp.encode(),
            headers={"Content-Type": "application/sdp"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.status == 201, response.status
            assert response.headers["Location"], "no Location"
            return response.read().decode()

    answer = await asyncio.get_running_loop().run_in_executor(None, post)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))


async def opened(channel):
    done = asyncio.Event()
    channel.on("open", done.set)
    if channel.readyState != "open":
        await done.wait()


async def files(pc, url, sizes):
    closed, got = asyncio.Queue(), asyncio.Queue()

    @pc.on("datachannel")
    def on_channel(channel):
        collector = Collector()
        channel.on("close", lambda: closed.put_nowait(None))

        @channel.on("message")
        def on_message(message):
            whole = collector.add(*struct.unpack("<II", message[:8]), message[8:])
            if whole is not None:
                got.put_nowait((channel.label, whole))

    channel = pc.createDataChannel("video_upload")
    await connect(pc, url)
    for size in sizes:
        if channel is None:
            channel = pc.createDataChannel("video_upload")
        channel.on("close", lambda: closed.put_nowait(None))
        await opened(channel)
        payload = random.Random(size).randbytes(size)
        for index, total, part in chunks(payload):
            await send(channel, struct.pack("<II", index, total) + part)
        report("sent", size, payload)
        await closed.get()  # by the receiver, once it has the file
        channel = None
        label, whole = await got.get()
        await closed.get()  # by the sender, which waits for our answer
        assert label == "video_upload", label
        report("got", len(whole), whole)


async def frames(pc, url, count):
    done = asyncio.Event()
    collectors, complete = {}, []
    channel = pc.createDataChannel("inference")

    @channel.on("message")
    def on_message(message):
        if isinstance(message, str):
            report("got", "text", message.encode())
            return
        if not message:
            report("got", "empty", message)
            done.set()
            return
        frame, index, total = struct.unpack("<III", message[:12])
        whole = collectors.setdefault(frame, Collector()).add(index, total, message[12:])
        if whole is not None:
            del collectors[frame]
            complete.append(frame)
            report("got", frame, whole)

    await connect(pc, url)
    await opened(channel)
    for frame in range(1, count + 1):
        payload = random.Random(frame).randbytes(FRAME)
        for index, total, part in chunks(payload):
            await send(channel, struct.pack("<III", frame, index, total) + part)
        report("sent", frame, payload)
    channel.send('{"ack": 5}')
    channel.send(b"")
    await done.wait()
    assert len(complete) == count, complete


async def main():
    mode, url, *rest = sys.argv[1:]
    pc = RTCPeerConnection()
    try:
        if mode == "files":
            await files(pc, url, [int(size) for size in rest])
        else:
            await frames(pc, url, int(rest[0]))
    finally:
        await pc.close()


asyncio.run(main())
