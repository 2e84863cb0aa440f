from pathlib import Path


def counted(product):
    assert Path(str(product["data"])).stat().st_size > 0


def all_done(report):
    with open("done.log", "a") as stream:
        stream.write("done\n")
