"""The job of trigger in plain Python, as one writes it with boto3 and requests:
read the bearer token from Secrets Manager, POST /workflow/runs, publish the
response as an EventBridge event. No retries, no checks, no idempotency.

The clients are made once, outside the handler, which is the faster way."""

import json
import os

import boto3
import requests

secrets = boto3.client("secretsmanager")
events = boto3.client("events")


def lambda_handler(event, context):
    token = secrets.get_secret_value(SecretId=os.environ["AMPERITY_SECRET_ID"])["SecretString"]
    response = requests.post(
        os.environ["AMPERITY_BASE_URL"] + "/workflow/runs",
        headers={
            "Authorization": "Bearer " + token,
            "amperity-tenant": os.environ["AMPERITY_TENANT"],
            "api-version": "2024-04-01",
        },
        json={
            "config_id": event["config_id"],
            "range_from": event["range_from"],
            "range_to": event["range_to"],
        },
        timeout=20,
    )
    response.raise_for_status()
    run = response.json()
    events.put_events(
        Entries=[
            {
                "Source": "amperity.workflow",
                "DetailType": "Amperity Workflow Run Started",
                "Detail": json.dumps(run),
                "EventBusName": os.environ["EVENT_BUS_NAME"],
            }
        ]
    )
    return {"statusCode": response.status_code, "body": json.dumps(run)}
