package eventbus

import "strings"

// fileARN is the prefix of the ARN of each file in an announcement.
const fileARN = "arn:aws:s3:::"

// partitions are the AWS partitions other than "aws", each with the prefix of
// its regions' names (aws-sdk-go-v2 v1.48.0,
// internal/endpoints/awsrulesfn/partitions.json, regionRegex).
var partitions = []struct{ region, partition string }{
	{"cn-", "aws-cn"},
	{"us-gov-", "aws-us-gov"},
	{"eusc-", "aws-eusc"},
	{"us-iso-", "aws-iso"},
	{"us-isob-", "aws-iso-b"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-isof-", "aws-iso-f"},
}

// Partition returns the AWS partition of a region, for example aws-cn for
// cn-north-1. It returns aws for an unknown region.
func Partition(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			return p.partition
		}
	}
	return "aws"
}

// inPartition returns resources with the ARNs of files in a partition. If the
// partition is empty, the resources stay as they are.
func inPartition(resources []string, partition string) []string {
	if partition == "" {
		return resources
	}
	in := make([]string, len(resources))
	for i, r := range resources {
		in[i] = r
		if file, ok := strings.CutPrefix(r, fileARN); ok {
			in[i] = "arn:" + partition + ":s3:::" + file
		}
	}
	return in
}
