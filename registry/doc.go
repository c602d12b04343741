// Package registry keeps the versions of definitions, and what else a project remembers.
//
// DB is the registry database: Plan compares definitions with what it holds, Apply records them as one commit, and a
// Snapshot resolves names to exact versions for everybody else. It also keeps the models that versions are pinned to, the
// locks of training sets and the leases of materialization. Everything is scoped by project.
//
// The package definition reads and checks definitions; sqlgate decides what their SQL may do.
package registry
