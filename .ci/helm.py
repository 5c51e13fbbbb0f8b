#!/usr/bin/env python3
"""Proves that deploy/helm/keyfold renders what Kubernetes, the Prometheus Operator and keyfold take.

Usage: .ci/helm.py                   builds the program for it
       .ci/helm.py --keyfold FILE    with this program

For the defaults and for each file of deploy/helm/keyfold/ci it lints and renders the chart, and holds each object against
the schemas of the oldest and of the newest version of Kubernetes that the chart is for (those of the Prometheus Operator
against its own types). The program must take the configuration with the environment that its containers get. So that a
check which sees nothing is noticed, each object is also held against them with any one field misspelt, which they must
refuse. The tools are installed once, in the user's cache; it needs Go and Python's venv.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# no folder of compiled modules in the tree
sys.dont_write_bytecode = True
from tools import installed, python_packages, run

HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
PIP = ["kubernetes-validate==1.37.0"]
# The oldest version is that of Chart.yaml.
KUBERNETES = ["1.27", "1.37"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "helm" / "keyfold"
RELEASE, NAMESPACE = "keyfold", "customers"

# Objects whose names are not fields but anybody's.
MAPS = {"labels", "annotations", "matchLabels", "selector", "nodeSelector", "data", "limits", "requests"}

# Values that the chart must refuse.
REFUSED = ["replica=3", "replicas=many", "secrets.files.KEYFOLD__REGISTRY__PASSWORD__FILE.name=x", "http.port=0"]

# Run by the Python that has the schemas: what is wrong with each object of each version, or nothing.
VALIDATE = r"""
import json, re, sys
import kubernetes_validate.utils as utils
import jsonschema
from referencing import Registry, Resource

versions, objects = json.load(sys.stdin)
problems = [None] * len(objects)
for version in versions:
    folder = "kubernetes-json-schema/v%s.0-local-strict/" % version
    definitions = Resource.from_contents(utils.schema_contents(folder + "_definitions.json", version))
    validators = {}
    for place, one in enumerate(objects):
        name = one["kind"].lower() + "-" + re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", one["apiVersion"])
        if name not in validators:
            schema = utils.schema_contents(folder + name + ".json", version)
            registry = definitions @ (Resource.from_contents(schema) @ Registry())
            validators[name] = jsonschema.validators.Draft202012Validator(schema, registry=registry)
        for error in validators[name].iter_errors(one):
            where = "/".join(map(str, error.absolute_path))
            problems[place] = problems[place] or "Kubernetes %s: %s: %s" % (version, where, error.message)
json.dump(problems, sys.stdout)
"""

# Run by the same Python, which can read YAML: the objects of a rendered chart.
READ = "import json, sys, yaml; json.dump([one for one in yaml.safe_load_all(sys.stdin) if one], sys.stdout)"


def install_helm(folder):
    print("building helm: some minutes, once")
    run("go", "install", "-ldflags=-s -w", HELM, env={**os.environ, "GOBIN": str(folder)})


def helm():
    return installed("helm", [HELM.rpartition("@")[2]], install_helm) / "helm"


def python():
    return python_packages(PIP) / "python"


def is_of_operator(one):
    return one["apiVersion"].startswith("monitoring.coreos.com/")


def problems(objects):
    """What is wrong with each object, or None."""
    operator = [one for one in objects if is_of_operator(one)]
    rest = [one for one in objects if not is_of_operator(one)]
    said = json.loads(run(python(), "-c", VALIDATE, given=json.dumps([KUBERNETES, rest])))
    of_operator = json.loads(run("go", "run", ".", given=json.dumps(operator), cwd=ROOT / ".ci" / "monitoring"))
    said, of_operator = iter(said), iter(of_operator)
    return [next(of_operator) if is_of_operator(one) else next(said) for one in objects]


def rendered(values):
    """The objects that the chart makes of some values, for the oldest version of Kubernetes."""
    given = [argument for file in values for argument in ("--values", file)]
    run(helm(), "lint", "--strict", "--quiet", "--namespace", NAMESPACE, *given, CHART)
    text = run(
        helm(), "template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", KUBERNETES[0] + ".0", *given
    )
    return json.loads(run(python(), "-c", READ, given=text))


def fields(value, path=()):
    """The paths of all fields in an object, but for names that are anybody's."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    is_map = bool(path) and path[-1] in MAPS and not (isinstance(value, dict) and "matchLabels" in value)
    for key, child in children:
        if isinstance(value, dict) and not is_map:
            yield (*path, key)
        yield from fields(child, (*path, key))


def misspelt(one):
    """Each way to misspell one field of an object: its path, and the object."""
    for path in fields(one):
        if path in (("apiVersion",), ("kind",)):
            continue
        wrong = copy.deepcopy(one)
        at = wrong
        for key in path[:-1]:
            at = at[key]
        at[path[-1] + "s"] = at.pop(path[-1])
        yield path, wrong


def empty(value, path=()):
    """The paths that have no value: a template names a value that is not there."""
    if value is None or value == "<no value>":
        yield ".".join(map(str, path))
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from empty(child, (*path, key))


def name_of(one):
    return f"{one['kind']} {one['metadata']['name']}"


def check_objects(label, objects):
    for one, problem in zip(objects, problems(objects)):
        if problem:
            sys.exit(f"{label}: {name_of(one)}: {problem}")
        for path in empty(one):
            sys.exit(f"{label}: {name_of(one)}: {path} is empty")
        if one["metadata"].get("namespace") != NAMESPACE:
            sys.exit(f"{label}: {name_of(one)}: not in the namespace of the release")


def check_misspelt(objects):
    """Each field that is misspelt must be refused. It also shows that nothing in the chart is passed over."""
    cases = [(one, path, wrong) for one in objects for path, wrong in misspelt(one)]
    for (one, path, _), problem in zip(cases, problems([wrong for _, _, wrong in cases])):
        if not problem:
            sys.exit(f"the check does not see that {'.'.join(map(str, path))} of {name_of(one)} is misspelt")
    return len(cases)


def environment(label, pod, container, work):
    """The environment of a container, with its files in `work`. Each file that it names must be mounted."""
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {}
    for mount in container["volumeMounts"]:
        for source in volumes.get(mount["name"], {}).get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                mounted[f"{mount['mountPath']}/{item['path']}"] = work / item["path"]
    env = {}
    for variable in container["env"]:
        name, value = variable["name"], variable.get("value", "pod-0")
        if name in env:
            sys.exit(f"{label}: {name} is given twice")
        if name.endswith("__FILE"):
            if value not in mounted:
                sys.exit(f"{label}: {name} names {value}, which is not mounted")
            mounted[value].write_text("from-a-secret\n")
            value = str(mounted[value])
        if name == "KEYFOLD_CONFIG":
            value = str(work / pathlib.Path(value).name)
        env[name] = value
    return env


def check_program(program, label, objects, work):
    """keyfold must take the configuration of each container, with its environment and the files beside it."""
    data = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    pods = [one["spec"]["template"]["spec"] for one in objects if one["kind"] in ("StatefulSet", "Job")]
    for pod in pods:
        config = next(volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume)
        for name, text in data[config].items():
            (work / name).write_text(text)
        for container in pod["containers"]:
            env = environment(label, pod, container, work)
            shown = run(program, "config", env=env)
            if container["args"] == ["run"] and "KEYFOLD__INSTANCE_ID" in env and 'instance_id = "pod-0"' not in shown:
                sys.exit(f"{label}: the name of the pod is not the instance_id:\n{shown}")
            if "from-a-secret" in shown:
                sys.exit(f"{label}: a secret is shown:\n{shown}")


def check_alerts(label, objects, work):
    for one in objects:
        if one["kind"] == "PrometheusRule":
            rules = work / "rules.yml"
            # JSON is YAML too
            rules.write_text(json.dumps(one["spec"]))
            run("promtool", "check", "rules", rules)
            monitor = next(other for other in objects if other["kind"] == "ServiceMonitor")
            job = monitor["spec"]["endpoints"][0]["relabelings"][0]["replacement"]
            if f'job="{job}"' not in rules.read_text().replace("\\", ""):
                sys.exit(f"{label}: no alert is for the job {job}")


def check_refused():
    for value in REFUSED:
        command = [helm(), "template", RELEASE, CHART, "--set", value]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            sys.exit(f"the chart takes {value}")


def main():
    if sys.argv[1:2] == ["--keyfold"]:
        program = pathlib.Path(sys.argv[2]).resolve()
    else:
        run("cargo", "build", "--release", "--locked", "--bin", "keyfold", cwd=ROOT)
        program = ROOT / "target" / "release" / "keyfold"
    if (CHART / "files" / "keyfold.rules.yml").read_text() != (ROOT / "config/prometheus/keyfold.rules.yml").read_text():
        sys.exit("files/keyfold.rules.yml of the chart is not config/prometheus/keyfold.rules.yml: copy it")
    check_refused()
    everything = []
    for values in [[], *([file] for file in sorted((CHART / "ci").glob("*.yaml")))]:
        label = values[0].name if values else "the defaults"
        objects = rendered(values)
        check_objects(label, objects)
        with tempfile.TemporaryDirectory() as work:
            check_program(program, label, objects, pathlib.Path(work))
            check_alerts(label, objects, pathlib.Path(work))
        print(f"{label}: {', '.join(sorted(name_of(one) for one in objects))}")
        everything += objects
    count = check_misspelt(everything)
    print(f"each of {count} misspelt fields is refused")


main()
