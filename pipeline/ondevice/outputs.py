"""The named outputs of a model."""


def output_details(interpreter):
    """Return name -> detail of each output tensor; the names are those of the file's signature.

    A file without a signature has only the names of its tensors.
    """
    read_signatures = getattr(interpreter, "_get_full_signature_list", dict)  # not in old ones
    names = {}
    for signature in read_signatures().values():
        names.update((index, name) for name, index in signature["outputs"].items())
    details = interpreter.get_output_details()
    return {names.get(detail["index"], detail["name"]): detail for detail in details}


def only(outputs):
    """Return the one output of a model (N, ...), of name -> (N, ...).

    Raises:
        ValueError: there are several, and a decision is made from one.
    """
    if len(outputs) != 1:
        names = ", ".join(outputs)
        raise ValueError("wanted a model with one output, got %d: %s" % (len(outputs), names))
    return next(iter(outputs.values()))


def golden_name(form, output, outputs):
    """Return the name of an output in golden.npz: the format alone where there is one output.

    Args:
        form: format of the file, such as int8; or `reference`.
        output: name of the output.
        outputs: the names of all outputs.
    """
    return form if len(outputs) == 1 else "%s.%s" % (form, output)
