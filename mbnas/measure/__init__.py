"""Measuring candidates: brief training, latency, ONNX files, the host. Imported file by file."""
