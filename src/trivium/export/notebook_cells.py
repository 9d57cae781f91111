"""The code of a notebook's cells; what stands in single braces is filled in."""

INSTALL = """
import os
import subprocess
import sys

if not (3, 10) <= sys.version_info[:2] < (3, 14):
    raise RuntimeError(f"Trivium needs Python 3.10 to 3.13; this is {{sys.version.split()[0]}}.")
REQUIREMENTS = [
{requirements}]
if os.environ.get("{skip}") != "1":
    subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", *REQUIREMENTS])
"""

UNPACK = """
import base64
import hashlib
import io
import zipfile

DATA = base64.b64decode('''
{data}
''')
if hashlib.sha256(DATA).hexdigest() != "{sha256}":
    raise RuntimeError("This notebook is damaged; take a fresh copy.")
zipfile.ZipFile(io.BytesIO(DATA)).extractall(".")
"""

CHECK_UPLOADS = """
import os

missing = [path for path in {paths} if not os.path.exists(path)]
if missing:
    raise FileNotFoundError(f"Upload these first: {{', '.join(missing)}}")
"""

RUN = """
import glob
import json
import os
import subprocess
import sys
import threading

WORDS = [
{words}]


def tell(ended, seconds=30):
    told = None
    while not ended.wait(seconds):
        logs = sorted(glob.glob("{results}/**/metrics.jsonl", recursive=True), key=os.path.getmtime)
        rows = [json.loads(line) for line in open(logs[-1], encoding="utf-8") if line.endswith("\\n")] if logs else []
        steps = [row for row in rows if row.get("step") and "loss" in row.get("metrics", {{}})]
        if steps and steps[-1] != told:
            told = steps[-1]
            print("  step", told["step"], "loss", round(told["metrics"]["loss"], 4), flush=True)


source = os.path.abspath("{source}/src")
ended = threading.Event()
threading.Thread(target=tell, args=[ended], daemon=True).start()
with subprocess.Popen(
    [sys.executable, "-m", "trivium", *WORDS],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    env={{
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])),
        "FORCE_COLOR": "",  # notebooks set it, and the output would be full of control codes
    }},
) as process:
    for line in process.stdout:
        print(line, end="", flush=True)
ended.set()
if process.returncode:
    raise RuntimeError(f"The run ended with exit code {{process.returncode}}; run this cell again to go on from {results}/.")
"""

SHOW = """
import json

with open("{results}/result.json", encoding="utf-8") as file:
    now = json.load(file)["metrics"]
THEN = {{
{then}}}
names = sorted(name for name in now if name + "_base" in now)
width = max(map(len, names), default=6)
print(f"{{'metric':<{{width}}}}{{'here':>10}}{{'first run':>12}}")
for name in names:
    then = f"{{THEN[name]:12.4f}}" if name in THEN else f"{{'–':>12}}"
    print(f"{{name:<{{width}}}}{{now[name]:10.4f}}{{then}}")
"""

DOWNLOAD = """
import shutil
import sys

archive = shutil.make_archive({name!r}, "zip", "{results}")
print("Everything is in", archive)
if "google.colab" in sys.modules:
    from google.colab import files

    files.download(archive)
"""
