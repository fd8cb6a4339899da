package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

// cloud has the parts of the stack's account that the commands use.
type cloud struct {
	stacks    stacks
	functions functions
	queues    queues
	now       func() time.Time
}

// stacks describes stacks; [cloudformation.Client] does.
type stacks interface {
	DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, opts ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
}

// functions invokes functions; [lambda.Client] does.
type functions interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// connector returns the cloud of a region; an empty region means that of the
// environment. It sends no request of the command.
type connector func(ctx context.Context, region string) (*cloud, error)

// requestTime bounds one request, so that no command hangs forever. The longest
// request is a call of the trigger.
const requestTime = answerTime + 10*time.Second

// connect returns the cloud of the shell's AWS settings.
func connect(ctx context.Context, region string) (*cloud, error) {
	var options []func(*config.LoadOptions) error
	options = append(options, config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(requestTime)))
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the AWS settings: %w; look at AWS_PROFILE and ~/.aws/config", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("no AWS region is set; set AWS_REGION to the stack's, such as us-east-1, or AWS_PROFILE to a profile that has one")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("no AWS credentials; log in, for example with \"aws sso login\", or set AWS_PROFILE to a profile that has some (%w)", err)
	}
	return &cloud{
		stacks: cloudformation.NewFromConfig(cfg), functions: lambda.NewFromConfig(cfg), queues: sqs.NewFromConfig(cfg), now: time.Now,
	}, nil
}

const (
	// envStack names the stack if --stack does not.
	envStack     = "AMPERITY_RUNS_STACK"
	defaultStack = "amperity-runs" // as in samconfig.toml
)

// Names of outputs of template.yaml.
const (
	outputTrigger       = "TriggerArn"
	outputArrivalsQueue = "ArrivalsQueueUrl"
)

// action is the work of a command in the account.
type action interface {
	region() string
	do(ctx context.Context, c *cloud, out io.Writer) error
}

// act runs a command and returns the exit code. err is the error of the
// command's arguments, or nil.
func act(ctx context.Context, command, usage string, a action, err error, to connector, stdout, stderr io.Writer) int {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if err != nil {
		return misused(stderr, command, err)
	}
	c, err := to(ctx, a.region())
	if err == nil {
		err = a.do(ctx, c, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "amperity-runs: %s: %s\n", command, printable(err.Error()))
		return 1
	}
	return 0
}

// deployed names the stack, or the function of a stack, that a command is for.
type deployed struct {
	stack string
	// function is the trigger's name or ARN; empty means the stack's output.
	function string
	// flags are the given flags, for the printed commands.
	flags []string
}

// stackFlag adds --stack. The environment has the default.
func (d *deployed) stackFlag(fs *flag.FlagSet, getenv func(string) string) {
	if d.stack = getenv(envStack); d.stack == "" {
		d.stack = defaultStack
	}
	fs.Func("stack", "", func(name string) error {
		if name == "" {
			return errors.New("give the name of the stack")
		}
		d.stack = name
		d.flags = []string{"--stack", name}
		return nil
	})
}

// functionFlag adds --function.
func (d *deployed) functionFlag(fs *flag.FlagSet) {
	fs.Func("function", "", func(name string) error {
		if strings.HasPrefix(name, "arn:") && arnPart(name, 2) != "lambda" || name == "" {
			return errors.New("give the name or the ARN of a Lambda function")
		}
		d.function = name
		return nil
	})
}

// check returns an error for flags that exclude each other.
func (d *deployed) check() error {
	if d.function == "" {
		return nil
	}
	if d.flags != nil {
		return errors.New("--function says which trigger to call; leave out --stack")
	}
	d.flags = []string{"--function", d.function}
	return nil
}

// region returns the region of the function's or the stack's ARN, or "" for a
// name.
func (d *deployed) region() string {
	if d.function != "" {
		return arnPart(d.function, 3)
	}
	return arnPart(d.stack, 3)
}

// arnPart returns a part of an ARN, or "".
func arnPart(arn string, n int) string {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[0] != "arn" {
		return ""
	}
	return p[n]
}

// trigger returns the name or ARN of the trigger function.
func (d *deployed) trigger(ctx context.Context, c *cloud) (string, error) {
	if d.function != "" {
		return d.function, nil
	}
	outputs, err := c.outputs(ctx, d.stack)
	if err != nil {
		return "", err
	}
	return outputs.of(outputTrigger)
}

// outputs are the outputs of a stack, with its status.
type outputs struct {
	stack, status string
	values        map[string]string
}

// of returns an output that every version of the stack has.
func (o outputs) of(name string) (string, error) {
	v := o.values[name]
	if v == "" {
		return "", fmt.Errorf("the stack %s (%s) has no output %s: give the stack that amperity-runs was deployed as with --stack or %s", o.stack, o.status, name, envStack)
	}
	return v, nil
}

// outputs reads the outputs of a stack.
func (c *cloud) outputs(ctx context.Context, stack string) (outputs, error) {
	got, err := c.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist") || err == nil && len(got.Stacks) == 0 {
		return outputs{}, fmt.Errorf("there is no stack %s in this account and region: name it with --stack or %s, and look at AWS_PROFILE and AWS_REGION", stack, envStack)
	}
	if err != nil {
		return outputs{}, failed("CloudFormation DescribeStacks "+stack, err)
	}
	o := outputs{stack: stack, status: string(got.Stacks[0].StackStatus), values: map[string]string{}}
	for _, v := range got.Stacks[0].Outputs {
		o.values[aws.ToString(v.OutputKey)] = aws.ToString(v.OutputValue)
	}
	return o, nil
}

// failed returns a one-line error of a failed AWS call, with what to do.
func failed(call string, err error) error {
	var api smithy.APIError
	var answered *awshttp.ResponseError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted", call)
	case !errors.As(err, &api) && errors.As(err, &answered) && answered.HTTPStatusCode() > 0:
		return fmt.Errorf("%s: the response with status %d is not from AWS: %w; look at AWS_ENDPOINT_URL and at proxies", call, answered.HTTPStatusCode(), answered.Err)
	case !errors.As(err, &api):
		if answered != nil {
			err = answered.Err // without the SDK's text around it
		}
		return fmt.Errorf("%s: no answer: %w; look at the network, at AWS_REGION and at AWS_ENDPOINT_URL", call, err)
	}
	code, message := api.ErrorCode(), api.ErrorMessage()
	throttle := retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}
	switch {
	case strings.Contains(code, "AccessDenied") || strings.Contains(code, "Unauthorized"):
		return fmt.Errorf("%s: access denied: %s; get that permission, or set AWS_PROFILE to a profile that has it", call, message)
	case badCredentials(code):
		return fmt.Errorf("%s: the credentials are refused: %s: %s; log in again, or look at AWS_PROFILE", call, code, message)
	case throttle.IsErrorThrottle(err).Bool() || code == "OverLimit":
		return fmt.Errorf("%s: too many requests to AWS: %s: %s; wait a minute, then run this again", call, code, message)
	}
	return fmt.Errorf("%s: %s: %s", call, code, message)
}

// badCredentials reports whether AWS refuses a signature with this code (Common
// error types, in each service's API reference).
func badCredentials(code string) bool {
	for _, c := range []string{"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId",
		"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken", "RequestExpired", "AuthFailure", "OptInRequired"} {
		if code == c {
			return true
		}
	}
	return false
}

// answerTime is how long call waits for the trigger's answer. The trigger's own
// time limit is 30 seconds after a cold start.
const answerTime = time.Minute

// call invokes the trigger and waits for its answer. It sends the request once,
// because the answer to a repeat would be that nothing was done.
func (c *cloud) call(ctx context.Context, function string, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	out, err := c.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload, InvocationType: types.InvocationTypeRequestResponse},
		func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
	switch {
	case err != nil && mayBeDone(err):
		return nil, fmt.Errorf("%w; it may have been done: run \"amperity-runs held list\" before you repeat it", notInvoked(function, err))
	case err != nil:
		return nil, notInvoked(function, err)
	case out.FunctionError != nil:
		return nil, newFunctionError(out.Payload)
	}
	return out.Payload, nil
}

// mayBeDone reports whether a failed call may have reached the function.
func mayBeDone(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorFault() == smithy.FaultServer
	}
	var connection *net.OpError
	return !errors.As(err, &connection) || connection.Op != "dial"
}

// post invokes the trigger without waiting. Lambda keeps the payload until the
// invocation succeeds. The SDK's retries may queue the payload twice.
func (c *cloud) post(ctx context.Context, function string, payload []byte) error {
	out, err := c.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload, InvocationType: types.InvocationTypeEvent})
	if err != nil {
		return notInvoked(function, err)
	}
	if out.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%s: the answer is status %d, and 202 was expected", invoke+function, out.StatusCode)
	}
	return nil
}

const invoke = "Lambda Invoke "

func notInvoked(function string, err error) error {
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		return fmt.Errorf("there is no function %s in this account and region: name the stack with --stack or %s, and look at AWS_PROFILE and AWS_REGION", function, envStack)
	}
	return failed(invoke+function, err)
}

// functionError is the answer of a function that failed.
type functionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func newFunctionError(payload []byte) *functionError {
	e := new(functionError)
	if json.Unmarshal(payload, e) != nil || *e == (functionError{}) {
		e.Message = excerpt(string(payload))
	}
	return e
}

func (e *functionError) Error() string {
	if e.Type != "" && e.Type != "Sandbox.Timedout" && !strings.HasPrefix(e.Type, "Runtime.") {
		return fmt.Sprintf("the trigger answers with an error: %s: %s", e.Type, e.Message)
	}
	// The function did not finish.
	kind := e.Type
	if kind == "" {
		kind = "no errorType"
	}
	return fmt.Sprintf("the trigger failed: %s: %s; it may have been done: run \"amperity-runs held list\" before you repeat it, and read the trigger's log", kind, e.Message)
}
