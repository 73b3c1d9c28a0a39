"""A .tflite file as an array in C, aligned as tflite-micro wants it."""

PER_LINE = 12
ALIGNED = 16  # bytes


def byte_lines(content: bytes) -> str:
    """Return bytes for between the braces of an array, in lines."""
    return "\n".join(
        "    " + " ".join(f"0x{byte:02x}," for byte in content[start : start + PER_LINE])
        for start in range(0, len(content), PER_LINE)
    )


def make_model_array(name: str, file: str, content: bytes) -> dict[str, str]:
    """Return file name -> text: the model as an array of C99, under the model's own name.

    Args:
        name: prefix of the symbols, and of the file names.
        file: name of the .tflite file, for the comments.
        content: its bytes.
    """
    guard, symbol = f"{name.upper()}_MODEL_H_", f"{name}_model"
    header = (
        f"/* {file}: {len(content)} bytes. Written by Edgeline; do not edit. */\n"
        f"#ifndef {guard}\n#define {guard}\n\n"
        f"#define {name.upper()}_MODEL_BYTES {len(content)}\n\n"
        f'#ifdef __cplusplus\nextern "C" {{\n#endif\n'
        f"extern const unsigned char {symbol}[{name.upper()}_MODEL_BYTES];\n"
        f"#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {guard} */\n"
    )
    source = (
        f'#include "{symbol}.h"\n\n'
        f"#if defined(__GNUC__)\n__attribute__((aligned({ALIGNED})))\n"
        f"#elif defined(__ICCARM__)\n#pragma data_alignment = {ALIGNED}\n#endif\n"
        f"const unsigned char {symbol}[{name.upper()}_MODEL_BYTES] = {{\n"
        f"{byte_lines(content)}\n}};\n"
    )
    return {f"{symbol}.h": header, f"{symbol}.c": source}
