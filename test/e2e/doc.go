// Package e2e tests the bundle as it is deployed: the built functions under
// Lambda's Runtime Interface Emulator, the samples of events/, the template as
// CloudFormation gets it, and what sam build makes. It needs the environment
// of "make test".
package e2e
