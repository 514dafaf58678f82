"""What the demonstration says, and how."""
import textwrap


def title(text):
    print(f"\n== {text}", flush=True)


def show(label, text):
    lead = f"   {label:<12} "
    print(textwrap.fill(str(text), 108, initial_indent=lead, subsequent_indent=" " * len(lead)), flush=True)


def require(truth, what):
    if not truth:
        raise AssertionError(what)
