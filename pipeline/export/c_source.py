"""A model as C++ source: the bytes of the .tflite file, aligned as tflite-micro wants them."""

from pathlib import Path

from pipeline.device_code.model_array import ALIGNED, byte_lines


def write_c_source(model: Path, out: Path) -> list[str]:
    """Write <stem>.h and <stem>.cc beside each other in `out`; return their names."""
    content, name = model.read_bytes(), model.stem
    guard = f"{name.upper()}_H_"
    header = (
        f"// {model.name}: {len(content)} bytes.\n"
        f"#ifndef {guard}\n#define {guard}\n\n#include <cstddef>\n#include <cstdint>\n\n"
        f"extern const unsigned char g_{name}[];\nextern const std::size_t g_{name}_size;\n\n"
        f"#endif  // {guard}\n"
    )
    source = (
        f'#include "{name}.h"\n\n'
        f"alignas({ALIGNED}) const unsigned char g_{name}[] = {{\n{byte_lines(content)}\n}};\n"
        f"const std::size_t g_{name}_size = sizeof(g_{name});\n"
    )
    (out / f"{name}.h").write_text(header)
    (out / f"{name}.cc").write_text(source)
    return [f"{name}.cc", f"{name}.h"]
