package main

import (
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) tokenCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "token",
		Short: "Create, list and revoke the tokens of callers",
		Long: `Create, list and revoke tokens, with which callers of a server say who they are. The tokens file (setting
serve.auth.tokens) holds the name, the SHA-256 and the grants of each token, and never a token. Servers read the file
again within seconds.`,
		Example: "  fstore token create fraud --tokens .fstore/tokens.yaml --grant online:read@shop/model:fraud\n  fstore token list --tokens .fstore/tokens.yaml",
		Args:    usage.NoCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	group.PersistentFlags().String("tokens", "", "the tokens file (setting serve.auth.tokens)")
	_ = group.PersistentFlags().SetAnnotation("tokens", usage.SettingOf, []string{"serve.auth.tokens"})
	group.AddCommand(a.tokenCreate(), a.tokenList(), a.tokenRevoke())
	return group
}

func (a *app) tokenCreate() *cobra.Command {
	var n project.NewToken
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a token and print it once",
		Long: `Create a token and print it on stdout. This is the only time that it is shown. The tokens file gets its SHA-256.

A grant is SCOPE@PROJECT, SCOPE@PROJECT/service:NAME or SCOPE@PROJECT/model:NAME. The scopes are online:read, offline:read
and offline:create. PROJECT may be * for all. A list of features needs a grant without a service or model.`,
		Example: `  fstore token create fraud-service --tokens .fstore/tokens.yaml --grant online:read@shop/model:fraud --expires 90d
  fstore token create notebook --tokens .fstore/tokens.yaml --grant online:read@shop --grant offline:read@shop`,
		Args: usage.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			n.Name = args[0]
			return a.with(cmd.Context(), func(p *project.Project) error {
				token, err := p.CreateToken(n)
				if err != nil {
					return err
				}
				if a.json() {
					return a.printJSON(map[string]string{"name": n.Name, "token": token})
				}
				_, err = fmt.Fprintln(a.stdout, token)
				return err
			})
		},
	}
	cmd.Flags().StringArrayVar(&n.Grants, "grant", nil, "what the token may do, such as online:read@shop (repeatable)")
	cmd.Flags().StringVar(&n.Expires, "expires", "", "how long the token is valid, such as 90d (default: until it is revoked)")
	return cmd
}

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List tokens and their grants",
		Long:    "List the entries of the tokens file: tokens and client certificates, with their grants.",
		Example: "  fstore token list --tokens .fstore/tokens.yaml",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error {
				tokens, err := p.Tokens()
				if err != nil {
					return err
				}
				if a.json() {
					return a.printJSON(tokens)
				}
				t := terminal.NewTable("NAME", "CERTIFICATE", "EXPIRES", "GRANTS")
				for _, one := range tokens {
					expires := orDash(one.Expires)
					if one.Expired {
						expires += " (expired)"
					}
					t.Row(one.Name, orDash(one.Certificate), expires, strings.Join(one.Grants, " "))
				}
				return t.Print(a.stdout)
			})
		},
	}
}

func (a *app) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Revoke a token",
		Long:    "Remove an entry from the tokens file. Servers refuse its token as soon as they have read the file again, within seconds.",
		Example: "  fstore token revoke fraud-service --tokens .fstore/tokens.yaml",
		Args:    usage.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error { return p.RevokeToken(args[0]) })
		},
	}
}
