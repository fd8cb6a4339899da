"""Print template.yaml and samconfig.toml as JSON, for the Go tests.

source is the template with the short forms of functions (!Ref) written out,
translated is what CloudFormation gets: SAM's transform, the one of sam
validate, applied to it.
"""

import json
import sys

import tomlkit
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """The template names no managed policy, so IAM is not asked for them."""

    def load(self):
        return {}


def main(template, samconfig):
    with open(template, encoding="utf-8") as f:
        text = f.read()
    with open(samconfig, encoding="utf-8") as f:
        config = tomlkit.parse(f.read()).unwrap()
    config.pop("version")
    source = yaml_parse(text)
    values = {name: p["Default"] for name, p in source["Parameters"].items() if "Default" in p}
    packaged = yaml_parse(text)
    for resource in packaged["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://packages/function.zip"  # as sam deploy does
    translated = transform(packaged, values, NoManagedPolicies(), passthrough_metadata=True)
    json.dump({"source": source, "translated": translated, "samconfig": config}, sys.stdout)


main(*sys.argv[1:])
