package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Pin features to model versions",
		Long: `Pin features to a model version. The model is then served exactly these features, in this order, from these view
versions, however the definitions change. While a pin lives, materialize keeps its view versions fresh and gc keeps
their data.`,
		Example: "  fstore model pin fraud 4 --training-set churn_2025\n  fstore model list",
		Args:    usage.NoCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.pinModelCommand(), a.listModelsCommand(), a.showModelCommand(), a.aliasModelCommand(), a.unpinModelCommand(), a.syncModelsCommand())
	return cmd
}

// modelNamed reads fraud@3 from a flag or argument.
func modelNamed(where, text string) (fstore.ModelRef, error) {
	ref, err := fstore.ParseModelRef(text)
	if err == nil && ref.Version == "" {
		err = fstore.Errorf(fstore.ErrInvalid, "%q has no version", text).WithHint("such as %s@3, or an alias of a version", text)
	}
	return ref, usage.Of(where+": ", err)
}

// modelVersion reads the arguments NAME VERSION, or the single argument NAME@VERSION.
func modelVersion(args []string) (fstore.ModelRef, error) {
	return modelNamed("model", strings.Join(args, "@"))
}

func (a *app) pinModelCommand() *cobra.Command {
	var r project.PinRequest
	cmd := &cobra.Command{
		Use:   "pin NAME VERSION",
		Short: "Pin the features of a training set or service to a model version",
		Long: `Pin features to a model version. --training-set takes the view versions from the lock of the training set that the
model was trained on. --service takes them from a service in head (churn), or from an earlier version of it (churn@2).
VERSION is any word, such as 3 or 2025-12-01. Pinning the same again changes nothing. Pinning something else to the
same version is refused.

models:/NAME/VERSION or models:/NAME@ALIAS, in place of NAME VERSION, pins a version that an MLflow server has, and tags
it there. The server is that of the variables MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN and so on (docs/mlflow.md).`,
		Example: `  fstore model pin fraud 4 --training-set churn_2025
  fstore model pin suggest 2025-12-01 --service recommend
  fstore model pin models:/fraud/7 --training-set churn_2025`,
		Args: usage.Args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (r.TrainingSet == "") == (r.Service == "") {
				return usage.Errorf(cmd, "name either --training-set or --service")
			}
			if _, err := fstore.ParseRef(cmp.Or(r.Service, "none")); err != nil {
				return usage.Of("--service: ", err)
			}
			uri, err := "", error(nil)
			if len(args) == 1 && project.IsModelURI(args[0]) {
				uri = args[0]
			} else if r.Model, err = modelVersion(args); err != nil {
				return err
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.pinModel(cmd.Context(), p, uri, r) })
		},
	}
	cmd.Flags().StringVar(&r.TrainingSet, "training-set", "", "training set that the model was trained on")
	cmd.Flags().StringVarP(&r.Service, "service", "s", "", "service whose features the model gets: NAME or NAME@VERSION")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("training-set", func(cmd *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		return a.completeTrainingSets(cmd, nil, text)
	})
	return cmd
}

// pinModel pins features to a version of a model: the request's, or the one that a URI names in MLflow.
func (a *app) pinModel(ctx context.Context, p *project.Project, uri string, r project.PinRequest) error {
	pin := p.Pin
	if uri != "" {
		pin = func(ctx context.Context, r project.PinRequest) (*project.Pinned, error) { return p.PinURI(ctx, uri, r) }
	}
	m, err := pin(ctx, r)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(m)
	}
	if m.New {
		fmt.Fprintf(a.stdout, "Model %s is pinned to %s of %s (%s).\n", m.Ref, english.Count(len(m.Outputs), "feature"), project.Joined(append(slices.Clone(m.Views), m.OnDemand...)), m.Origin())
	} else {
		fmt.Fprintf(a.stdout, "Model %s has been pinned to this since %s.\n", m.Ref, shortTime(m.Pinned))
	}
	if uri != "" {
		fmt.Fprintf(a.stdout, "models:/%s/%s is tagged in MLflow: %s\n", m.Ref.Name, m.Ref.Version, tagsText(m.Tags))
	}
	if missing := m.Missing(); len(missing) > 0 {
		fmt.Fprintf(a.stdout, "Next: fstore materialize %s\n", project.Joined(missing))
	}
	return nil
}

func (a *app) aliasModelCommand() *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "alias NAME ALIAS [VERSION]",
		Short: "Name a model version, such as champion",
		Long: `Let an alias stand for a model version, also in requests. An alias stands for one version at a time. Servers follow a
change within about a second. --delete removes the alias.`,
		Example: "  fstore model alias fraud champion 3\n  fstore model alias fraud former --delete",
		Args: usage.Args(func(cmd *cobra.Command, args []string) error {
			if remove {
				return cobra.ExactArgs(2)(cmd, args)
			}
			return cobra.ExactArgs(3)(cmd, args)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(fstore.CheckModelName(args[0]), fstore.CheckModelAlias(args[1])); err != nil {
				return usage.Of("model alias: ", err)
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.aliasModel(cmd.Context(), p, args) })
		},
	}
	cmd.Flags().BoolVar(&remove, "delete", false, "remove the alias")
	return cmd
}

// aliasModel sets an alias, or removes it if there is no version.
func (a *app) aliasModel(ctx context.Context, p *project.Project, args []string) (err error) {
	change := struct {
		Model   string `json:"model_name"`
		Alias   string `json:"alias"`
		Version string `json:"model_version,omitempty"` // empty: the alias was removed
		Was     string `json:"was,omitempty"`
	}{Model: args[0], Alias: args[1]}
	if len(args) == 2 {
		change.Was, err = p.DropAlias(ctx, args[0], args[1])
	} else {
		change.Version = args[2]
		change.Was, err = p.AliasModel(ctx, args[0], args[1], args[2])
	}
	switch {
	case err != nil:
		return err
	case a.json():
		return a.printJSON(change)
	case change.Version == "":
		_, err = fmt.Fprintf(a.stdout, "Removed %s@%s, which stood for %s@%s.\n", args[0], args[1], args[0], change.Was)
	case change.Was != "" && change.Was != change.Version:
		_, err = fmt.Fprintf(a.stdout, "%s@%s now stands for %s@%s instead of %s@%s.\n", args[0], args[1], args[0], args[2], args[0], change.Was)
	default:
		_, err = fmt.Fprintf(a.stdout, "%s@%s stands for %s@%s.\n", args[0], args[1], args[0], args[2])
	}
	return err
}

func (a *app) unpinModelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unpin NAME VERSION",
		Short: "Remove the pin of a model version",
		Long: `Remove the pin of a model version. Requests for it are then refused. View versions that nothing else uses are no
longer materialized, and gc removes their data. The training set and its lock stay. A version that has an alias cannot
be unpinned.`,
		Example:           "  fstore model unpin fraud 2",
		Args:              usage.Args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := modelVersion(args)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.unpinModel(cmd.Context(), p, ref) })
		},
	}
}

func (a *app) unpinModel(ctx context.Context, p *project.Project, ref fstore.ModelRef) error {
	idle, err := p.Unpin(ctx, ref)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(struct {
			Model fstore.ModelRef  `json:"model"`
			Idle  []fstore.ViewRef `json:"not_live"`
		}{ref, idle})
	}
	fmt.Fprintf(a.stdout, "Model %s is no longer pinned.\n", ref)
	if len(idle) > 0 {
		fmt.Fprintf(a.stdout, "No longer live: %s. fstore gc removes the data after the grace period.\n", project.Joined(idle))
	}
	return nil
}
