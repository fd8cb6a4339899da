# sam build runs the Makefile in this folder for Architecture=arm64
# (template.yaml, WorkingDirectory), and so the Makefile knows what to build.
LAMBDA_ARCHITECTURE := arm64
LAMBDA_GOARCH := arm64
