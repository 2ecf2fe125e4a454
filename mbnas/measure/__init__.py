"""Measuring candidates: latency, ONNX files, 8 bits, the host. Imported file by file."""
