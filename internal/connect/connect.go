// Package connect has the flags that say how to reach a server over gRPC, for every command that asks one.
package connect

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Flags are the values of the flags. Those of TLS are also variables: FSTORE_TLS_CA for --tls-ca.
type Flags struct {
	Address string

	on        bool
	timeout   string
	limit     time.Duration // that timeout says; 0: the client's default
	tls       client.TLS
	tokenFile string
	token     string // of the variable: other users of a machine can read a process's arguments
}

// Add adds the flags. address says what --grpc is for.
func (f *Flags) Add(flags *pflag.FlagSet, address string) {
	flags.StringVar(&f.Address, "grpc", "", address)
	flags.StringVar(&f.timeout, "timeout", "", "with --grpc: how long the answer may take (default: 5s)")
	flags.BoolVar(&f.on, "tls", false, "with --grpc: use TLS, with the CAs of this system; --tls=false is plain text whatever the variables say")
	flags.StringVar(&f.tls.CA, "tls-ca", "", "with --grpc: PEM file of the CAs that the server's certificate must come from")
	flags.StringVar(&f.tls.Certificate, "tls-certificate", "", "with --grpc: PEM file of this client's certificate, for a server that asks for one")
	flags.StringVar(&f.tls.Key, "tls-key", "", "with --grpc: PEM file of the private key of --tls-certificate")
	flags.StringVar(&f.tls.ServerName, "tls-server-name", "", "with --grpc: name in the server's certificate, if it is not the host of --grpc")
	flags.StringVar(&f.tokenFile, "token-file", "", "with --grpc: file of the token that says who asks; without it, the variable FSTORE_TOKEN")
}

// Check completes the flags from the environment. It refuses an address that is none, and flags that would have no effect.
func (f *Flags) Check(cmd *cobra.Command, lookup func(string) (string, bool), isAddress func(string) bool) error {
	flags, names := cmd.Flags(), []string{"tls", "tls-ca", "tls-certificate", "tls-key", "tls-server-name"}
	given := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !flags.Changed(name) })
	switch {
	case f.Address != "" && !isAddress(f.Address):
		return usage.Errorf(nil, "--grpc %q is not an address", f.Address).WithHint("for example 127.0.0.1:6566")
	case len(given) > 0 && f.Address == "":
		return usage.Errorf(cmd, "--%s has no effect without --grpc", given[0])
	case f.tokenFile != "" && f.Address == "":
		return usage.Errorf(cmd, "--token-file has no effect without --grpc")
	case f.timeout != "" && f.Address == "":
		return usage.Errorf(cmd, "--timeout has no effect without --grpc")
	case len(given) > 1 && given[0] == "tls" && !f.on:
		return usage.Errorf(cmd, "--tls=false and --%s: choose one", given[1])
	}
	if err := usage.Duration("--timeout", f.timeout, &f.limit); err != nil {
		return err
	}
	if f.timeout != "" && f.limit == 0 {
		return usage.Errorf(nil, "--timeout %s leaves no time for an answer", f.timeout).WithHint("for example 500ms")
	}
	if err := usage.FromEnvironment(flags, lookup, names...); err != nil {
		return err
	}
	if !flags.Changed("tls") || len(given) > 0 && given[0] != "tls" {
		f.on = f.tls != client.TLS{}
	}
	f.token, _ = lookup("FSTORE_TOKEN")
	return nil
}

// Open returns a client of the server that tries each call once: the person at the terminal decides whether to retry.
func (f *Flags) Open() (*client.Client, error) {
	o := client.Options{Attempts: 1, Token: f.token, Timeout: f.limit}
	if f.on {
		o.TLS = &f.tls
	}
	if f.tokenFile != "" {
		o.Token, o.TokenFrom = "", client.TokenFile(f.tokenFile)
	}
	c, err := client.Open(f.Address, o)
	if errors.Is(err, client.ErrPlainToken) {
		err = fstore.Errorf(fstore.ErrInvalid, "%s", fstore.MessageOf(err)).
			WithHint("pass --tls or --tls-ca FILE, or set FSTORE_TLS=true; where a mesh encrypts, ask its proxy on this machine: --grpc 127.0.0.1:PORT")
	}
	return c, usage.Of("--grpc: ", err)
}

// Timeout returns how long an answer may take.
func (f *Flags) Timeout() time.Duration { return cmp.Or(f.limit, client.DefaultTimeout) }

// Explain returns an error of the server's, with a hint if the server asked for a token and none was given.
func (f *Flags) Explain(err error) error {
	if _, hints := fstore.Explain(err); errors.Is(err, fstore.ErrUnauthenticated) && f.token+f.tokenFile == "" && hints == nil {
		return fstore.Errorf(fstore.ErrUnauthenticated, "%v", err).WithHint("pass --token-file FILE, or set FSTORE_TOKEN")
	}
	return err
}
