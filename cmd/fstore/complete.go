package main

import (
	"context"
	"slices"

	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

// completeServices completes the names of services from the registry.
func (a *app) completeServices(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd.Context(), func(rev *registry.Revision) (names []string) {
		for _, s := range rev.Services() {
			names = append(names, s.Ref.Name+"\t"+s.Service.Description)
		}
		return names
	})
}

// completeViews completes the names of views from the registry.
func (a *app) completeViews(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd.Context(), func(rev *registry.Revision) (names []string) {
		for _, v := range rev.Views() {
			names = append(names, v.Ref.Name+"\t"+v.View.Description)
		}
		return names
	})
}

// completeChecked completes the names of sources and views from the registry.
func (a *app) completeChecked(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completeViews(cmd, args, prefix)
	sources, directive := a.complete(cmd.Context(), func(rev *registry.Revision) (names []string) {
		for _, s := range rev.Sources() {
			names = append(names, s.Name+"\t"+s.Description)
		}
		return names
	})
	return slices.Concat(sources, names), directive
}

// completeShown completes the names of views, on-demand views and services from the registry.
func (a *app) completeShown(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completeViews(cmd, args, prefix)
	services, _ := a.completeServices(cmd, args, prefix)
	onDemand, directive := a.complete(cmd.Context(), func(rev *registry.Revision) (names []string) {
		for _, v := range rev.OnDemand() {
			names = append(names, v.Ref.Name+"\t"+v.View.Description)
		}
		return names
	})
	return slices.Concat(names, onDemand, services), directive
}

// completeTrainingSets completes the names of training sets from the registry.
func (a *app) completeTrainingSets(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if len(args) == 0 {
		_ = a.with(cmd.Context(), func(p *project.Project) error { // none if they cannot be read
			names = p.TrainingSetNames(cmd.Context())
			return nil
		})
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeModels completes versions of models, and aliases, from the registry.
func (a *app) completeModels(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd.Context(), func(rev *registry.Revision) (names []string) {
		for _, m := range rev.Models() {
			if len(args) > 0 { // the version is a separate argument
				if m.Ref.Name == args[0] {
					names = append(names, m.Ref.Version+"\t"+m.Origin())
				}
				continue
			}
			names = append(names, m.Ref.String()+"\t"+m.Origin())
			for _, alias := range m.Aliases {
				names = append(names, m.Ref.Name+"@"+alias+"\tversion "+m.Ref.Version)
			}
		}
		return names
	})
}

// completeLocks completes names of training sets, and files: both can name a lock.
func (a *app) completeLocks(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if project.IsLockFile(prefix) {
		return []string{"json", "parquet"}, cobra.ShellCompDirectiveFilterFileExt
	}
	names, _ := a.completeTrainingSets(cmd, nil, prefix)
	return names, cobra.ShellCompDirectiveDefault
}

// complete reads names. If they cannot be read, it completes nothing.
func (a *app) complete(ctx context.Context, names func(*registry.Revision) []string) ([]string, cobra.ShellCompDirective) {
	var out []string
	_ = a.withGraph(ctx, func(_ *project.Project, g project.Graph) error {
		out = names(g.Revision)
		return nil
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}
