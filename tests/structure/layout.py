"""What of the public headers is binary: where every field of every struct lies, and what every constant is.

The headers are read here, a program that asks the compiler is made of them, and its answer is compared with a committed
list: tests/abi/abi-MAJOR.MINOR.txt. `python3 tests/structure/layout.py` prints the list of the headers as they are.
"""
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "sdk/include"
HEADERS = sorted(path.relative_to(INCLUDE) for path in INCLUDE.rglob("*.h"))


def text_of(header):
    text = re.sub(r"/\*.*?\*/", " ", (INCLUDE / header).read_text(), flags=re.DOTALL)
    return re.sub(r"\\\n", " ", text)


def structs(text):
    """(name, the names of its fields)"""
    for match in re.finditer(r"\bstruct (\w+) \{(.*?)\n\};", text, re.DOTALL):
        fields = []
        for declaration in match[2].split(";"):
            declaration = " ".join(declaration.split())
            function = re.match(r".*?\(\*(\w+)\)\(", declaration)
            if function:
                fields.append(function[1])
            elif declaration:
                fields += [re.search(r"(\w+)\s*$", part)[1] for part in declaration.split(",")]
        yield match[1], fields


def enumerators(text):
    for match in re.finditer(r"\benum \w+ \{(.*?)\}", text, re.DOTALL):
        for part in match[1].split(","):
            if part.strip():
                yield part.split("=")[0].strip()


def constants(text):
    for match in re.finditer(r"^#define (ACCORD_\w+)[ \t]+(\S.*)$", text, re.MULTILINE):
        name, value = match[1], match[2]
        if name != "ACCORD_PLUGIN":
            yield name, value.startswith('"')


def prototypes(text):
    """Slots and callbacks with their whole type: a changed argument is another ABI at the same offset."""
    for match in re.finditer(r"(typedef [^;{}]*\(\*\w+\)\([^;{}]*\));", text, re.DOTALL):
        yield "callback " + " ".join(match[1].split())
    for name, body in re.findall(r"\bstruct (\w+) \{(.*?)\n\};", text, re.DOTALL):
        for declaration in body.split(";"):
            declaration = " ".join(declaration.split())
            if re.match(r".*?\(\*\w+\)\(", declaration):
                yield f"slot {name}: {declaration}"


def program():
    lines = ["#include <stdio.h>", *(f"#include <{header}>" for header in HEADERS), "int main(void)", "{"]
    for header in HEADERS:
        text = text_of(header)
        for name, fields in structs(text):
            lines.append(f'printf("struct {name} size=%zu align=%zu\\n", sizeof(struct {name}), '
                         f'_Alignof(struct {name}));')
            for field in fields:
                lines.append(f'printf("field {name}.{field} offset=%zu size=%zu\\n", '
                             f'offsetof(struct {name}, {field}), sizeof(((struct {name} *)0)->{field}));')
        for name in enumerators(text):
            lines.append(f'printf("value {name} = %lld\\n", (long long){name});')
        for name, is_text in constants(text):
            form, value = ("%s", name) if is_text else ("%lld", f"(long long)({name})")
            lines.append(f'printf("constant {name} = {form}\\n", {value});')
    return "\n".join([*lines, "return 0;", "}", ""])


def layout():
    """The list, one thing a line."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
        source.write_text(program())
        subprocess.run(["gcc", "-std=gnu17", "-I", INCLUDE, "-o", binary, source], check=True)
        lines = subprocess.run([binary], check=True, capture_output=True, text=True).stdout.splitlines()
    for header in HEADERS:
        lines += prototypes(text_of(header))
    return lines


def current():
    """MAJOR.MINOR as the headers say."""
    text = (INCLUDE / "accord/base.h").read_text()
    return ".".join(re.search(rf"#define ACCORD_ABI_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR"))


if __name__ == "__main__":
    print("\n".join(layout()))
