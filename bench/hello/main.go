// Hello is the smallest Lambda function in Go: what every function written with
// aws-lambda-go pays for, whatever it does.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (string, error) { return "hello", nil })
}
