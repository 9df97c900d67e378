module msp-client

go 1.20

require (
	github.com/flynn/noise v1.1.0
	golang.org/x/crypto v0.31.0
)

require golang.org/x/sys v0.28.0 // indirect
