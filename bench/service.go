package main

import "time"

// What the stand-in for AWS and Amperity knows and demands.
const (
	region      = "eu-west-1"
	tenant      = "socktown"
	secretID    = "amperity/socktown"
	bearer      = "tok-xSECRETx-bench"
	accessKey   = "AKIDEXAMPLE"
	eventBus    = "default"
	ledgerTable = "bench-ledger"
	bucket      = "acme-landing"
	configID    = "cg-123ABc4DE"
	source      = "amperity.workflow"
	apiPrefix   = "/api"

	awsJSON = "application/x-amz-json-1.1"
	// DynamoDB's protocol is an older one.
	dynamoJSON = "application/x-amz-json-1.0"
)

// service is one of the servers that a function calls.
type service struct {
	// Name is its name in the figures.
	Name string
	// Host is its name in an account.
	Host string
	// Variable names the environment variable that moves it to another address.
	Variable string
	// Target begins the header X-Amz-Target of its requests. Amperity has none.
	Target      string
	ContentType string
}

const amperity = "amperity"

var services = []service{
	{"secretsmanager", "secretsmanager." + region + ".amazonaws.com", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager.", awsJSON},
	{"dynamodb", "dynamodb." + region + ".amazonaws.com", "AWS_ENDPOINT_URL_DYNAMODB", "DynamoDB_20120810.", dynamoJSON},
	{"events", "events." + region + ".amazonaws.com", "AWS_ENDPOINT_URL_EVENTBRIDGE", "AWSEvents.", awsJSON},
	{amperity, "app.amperity.com", "AMPERITY_BASE_URL", "", "application/json"},
}

// distances are round trips.
type distances struct{ AWS, Amperity, DNS time.Duration }

// to returns the round trip to a service.
func (d distances) to(s service) time.Duration {
	if s.Name == amperity {
		return d.Amperity
	}
	return d.AWS
}
