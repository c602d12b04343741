package main

import (
	"context"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/online"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// tlsFlags are the flags that secure a connection to a server. Each is also a variable: FSTORE_TLS_CA for --tls-ca.
type tlsFlags struct {
	on bool
	client.TLS
}

func (t *tlsFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&t.on, "tls", false, "with --grpc: use TLS, with the CAs of this system; --tls=false is plain text whatever the variables say")
	flags.StringVar(&t.CA, "tls-ca", "", "with --grpc: PEM file of the CAs that the server's certificate must come from")
	flags.StringVar(&t.Certificate, "tls-certificate", "", "with --grpc: PEM file of this client's certificate, for a server that asks for one")
	flags.StringVar(&t.Key, "tls-key", "", "with --grpc: PEM file of the private key of --tls-certificate")
	flags.StringVar(&t.ServerName, "tls-server-name", "", "with --grpc: name in the server's certificate, if it is not the host of --grpc")
}

// check completes the flags from the environment, and refuses them where they would have no effect.
func (t *tlsFlags) check(cmd *cobra.Command, lookup func(string) (string, bool), address string) error {
	flags, names := cmd.Flags(), []string{"tls", "tls-ca", "tls-certificate", "tls-key", "tls-server-name"}
	given := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !flags.Changed(name) })
	switch {
	case len(given) > 0 && address == "":
		return usage.Errorf(cmd, "--%s has no effect without --grpc", given[0])
	case len(given) > 1 && given[0] == "tls" && !t.on:
		return usage.Errorf(cmd, "--tls=false and --%s: choose one", given[1])
	}
	if err := usage.FromEnvironment(flags, lookup, names...); err != nil {
		return err
	}
	if !flags.Changed("tls") || len(given) > 0 && given[0] != "tls" {
		t.on = t.TLS != client.TLS{}
	}
	return nil
}

// wanted returns how to secure the connection; nil is plain text.
func (t *tlsFlags) wanted() *client.TLS {
	if !t.on {
		return nil
	}
	return &t.TLS
}

// askServer asks a running server over gRPC once. The person at the terminal decides whether to retry.
func askServer(ctx context.Context, q *question, keys []fstore.Column) (*fstore.FeatureList, *online.Answer, error) {
	o := client.Options{Attempts: 1, TLS: q.tls.wanted(), Token: q.token}
	if q.tokenIn != "" {
		o.Token, o.TokenFrom = "", client.TokenFile(q.tokenIn)
	}
	c, err := client.Open(q.grpc, o)
	if err != nil {
		return nil, nil, usage.Of("--grpc: ", err)
	}
	defer c.Close()
	req := client.Request{
		Selection: client.Selection{Service: q.selected.Service, Model: q.selected.Model, Features: q.selected.Features},
		Keys:      keys,
	}
	if q.events {
		req.EventTimes = online.WithEventTimes
	}
	answer, err := c.Get(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	return &fstore.FeatureList{Service: answer.Service, Model: answer.Model}, &answer.Answer, nil
}
