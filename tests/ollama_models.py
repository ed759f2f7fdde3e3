"""A model so small that a test can make it, and a registry that Ollama pulls it from."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import free_port

WIDTH, FEED_FORWARD, HEADS, LAYERS, CONTEXT = 64, 128, 4, 2, 512
WORDS = ("hello", "world", "yes", "no", "tool", "result")
UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6  # token types of llama.cpp


def write_model(path: Path) -> None:
    """A llama with random weights, half a megabyte; it answers gibberish."""
    import gguf
    import numpy

    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{code:02X}>".encode() for code in range(256))]
    types = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * len(WORDS)]
    tokens += [("\u2581" + word).encode() for word in WORDS]
    writer = gguf.GGUFWriter(str(path), "llama")
    for add, value in (
        (writer.add_context_length, CONTEXT),
        (writer.add_embedding_length, WIDTH),
        (writer.add_block_count, LAYERS),
        (writer.add_feed_forward_length, FEED_FORWARD),
        (writer.add_head_count, HEADS),
        (writer.add_head_count_kv, HEADS),
        (writer.add_layer_norm_rms_eps, 1e-5),
        (writer.add_rope_dimension_count, WIDTH // HEADS),
        (writer.add_vocab_size, len(tokens)),
        (writer.add_tokenizer_model, "llama"),
        (writer.add_token_list, tokens),
        (writer.add_token_scores, [0.0] * len(tokens)),
        (writer.add_token_types, types),
        (writer.add_bos_token_id, 1),
        (writer.add_eos_token_id, 2),
        (writer.add_unk_token_id, 0),
    ):
        add(value)
    random = numpy.random.default_rng(7)

    def tensor(name: str, *shape: int) -> None:
        values = numpy.ones(shape) if len(shape) == 1 else random.normal(0, 0.02, shape)
        writer.add_tensor(name, values.astype(numpy.float32))

    tensor("token_embd.weight", len(tokens), WIDTH)
    tensor("output_norm.weight", WIDTH)
    tensor("output.weight", len(tokens), WIDTH)
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
        tensor(f"blk.{layer}.ffn_gate.weight", FEED_FORWARD, WIDTH)
        tensor(f"blk.{layer}.ffn_up.weight", FEED_FORWARD, WIDTH)
        tensor(f"blk.{layer}.ffn_down.weight", WIDTH, FEED_FORWARD)
        for norm in ("attn_norm", "ffn_norm"):
            tensor(f"blk.{layer}.{norm}.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def create(directory: Path) -> Path:
    """Have the real Ollama make the model `tiny`; the directory that it keeps models in."""
    import httpx

    models = directory / "models"
    write_model(directory / "tiny.gguf")
    (directory / "Modelfile").write_text(f"FROM {directory / 'tiny.gguf'}\n")
    address = f"127.0.0.1:{free_port()}"
    env = {"HOME": str(directory), "OLLAMA_HOST": address, "OLLAMA_MODELS": str(models), "PATH": _path()}
    with (directory / "ollama.log").open("w") as log:
        server = subprocess.Popen(["ollama", "serve"], env=env, stdout=log, stderr=log)
        try:
            while True:
                try:
                    httpx.get(f"http://{address}/")
                    break
                except httpx.TransportError:
                    time.sleep(0.05)  # a port announces nothing when it opens
            make = ["ollama", "create", "tiny", "-f", str(directory / "Modelfile")]
            subprocess.run(make, env=env, check=True, stdout=log, stderr=log)
        finally:
            server.kill()
            server.wait()
    return models


def _path() -> str:
    import os

    return os.environ["PATH"]


@contextmanager
def registry(models: Path, bytes_per_s: int = 0) -> Iterator[str]:
    """Serve the models of an Ollama directory as a registry does; yields `127.0.0.1:PORT`.

    Blobs are answered with a redirect, as Ollama wants it. `bytes_per_s` slows them down.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            if "/manifests/" in self.path:
                (manifest,) = [path for path in models.glob("manifests/**/latest")]
                told = json.loads(manifest.read_text())
                for layer in told["layers"]:
                    layer.pop("from", None)
                self._send(json.dumps(told).encode(), body)
            elif "/v2/" in self.path:
                self.send_response(307)
                # To another host name: only such a redirect does Ollama take for the blob's own address.
                port, digest = self.server.server_address[1], self.path.rpartition("/")[2]
                self.send_header("Location", f"http://localhost:{port}/raw/{digest}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                digest = self.path.rpartition("/")[2].replace(":", "-")
                self._send((models / "blobs" / digest).read_bytes(), body)

        def _send(self, data: bytes, body: bool) -> None:
            asked = self.headers.get("Range")
            first, last = 0, len(data) - 1
            if asked:
                start, _, end = asked.removeprefix("bytes=").partition("-")
                first, last = int(start), int(end or last)
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(last - first + 1))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.end_headers()
            if not body:
                return
            step = max(bytes_per_s // 10, 1) if bytes_per_s else len(data)
            for position in range(first, last + 1, step):
                self.wfile.write(data[position : min(position + step, last + 1)])
                if bytes_per_s:
                    time.sleep(0.1)  # a slow network is what is being played

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
