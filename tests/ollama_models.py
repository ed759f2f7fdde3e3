"""A model so small that a test can make it, by the real Ollama."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
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
        (writer.add_name, uuid.uuid4().hex),  # another file each time: what an earlier run has left is of no use
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
    random = numpy.random.default_rng(7)  # of these it is known that their gibberish has an end

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
    env = {"HOME": str(directory), "OLLAMA_HOST": address, "OLLAMA_MODELS": str(models), "PATH": os.environ["PATH"]}
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
