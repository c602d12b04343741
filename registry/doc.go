// Package registry keeps the versions of definitions, and what else a project remembers: the models that versions are
// pinned to, the locks of training sets, and the leases of materialization. Everything is scoped by project.
//
// Store owns the rules. Plan compares definitions with what the registry holds, Apply records them as one commit, and a
// Revision resolves names to exact versions. A Backend beneath Store only keeps records (package record), so that
// backends cannot disagree about the rules.
//
// The package definition reads and checks definitions; sqlgate decides what their SQL may do.
package registry
