package token

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/amperity-runs/amperity-runs/pkg/amperity"
)

// fetch reads the secret's current version (AWSCURRENT) and checks it.
func (s *Source) fetch(ctx context.Context) (*credentials, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.cfg.SecretID)})
	if err != nil {
		return nil, s.readError(err)
	}
	f := &faults{}
	var c *credentials
	switch {
	case out.SecretString != nil:
		c = s.parse(*out.SecretString, f)
	default:
		f.problemf("holds binary data: store the token as text, for example by put-secret-value --secret-string file://token.txt")
	}
	if len(f.list) > 0 {
		return nil, &SecretError{SecretID: s.cfg.SecretID, Faults: f.list}
	}
	c.raw = amperity.NewToken(*out.SecretString)
	return c, nil
}

// readError returns the meaning of an error of GetSecretValue and what to do.
//
// Source: AWS Secrets Manager API reference, GetSecretValue, Errors. A missing
// kms:Decrypt comes as AccessDeniedException ("Access to KMS is not allowed").
func (s *Source) readError(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return s.unanswered(err)
	}
	f := &faults{}
	retryable := false
	switch api.ErrorCode() {
	case "ResourceNotFoundException":
		f.problemf("does not exist in this account and region, or has no value yet: create it with the token in it, or correct AMPERITY_SECRET_ID")
	case "AccessDeniedException":
		f.problemf("may not be read: allow the function's role secretsmanager:GetSecretValue on it and, if it is encrypted with a key of your own, kms:Decrypt on that key")
	case "DecryptionFailure":
		f.problemf("cannot be decrypted: make sure that its KMS key is enabled and not scheduled for deletion, and that the function's role may use it")
	case "InvalidRequestException":
		f.problemf("cannot be read in its present state: if it is scheduled for deletion, restore it, or name another one in AMPERITY_SECRET_ID")
	case "InvalidParameterException", "ValidationException":
		f.problemf("has a name or ARN that Secrets Manager does not accept: correct AMPERITY_SECRET_ID")
	case "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded":
		retryable = true
		f.problemf("could not be read now, Secrets Manager has too many requests: try again")
	default:
		retryable = true
		f.problemf("could not be read now, Secrets Manager answered %s: try again", clip(api.ErrorCode()))
	}
	return &SecretError{SecretID: s.cfg.SecretID, Faults: f.list, Retryable: retryable, Cause: clip(api.ErrorMessage()), Err: err}
}
