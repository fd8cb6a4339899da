# sam build runs the Makefile in this folder for Architecture=x86_64
# (template.yaml, WorkingDirectory), and so the Makefile knows what to build.
LAMBDA_ARCHITECTURE := x86_64
LAMBDA_GOARCH := amd64
