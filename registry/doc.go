// Package registry reads the definitions of a feature repo, checks them, and keeps their versions.
//
// Load reads the YAML and SQL files; Check finds everything that is wrong with them, at once and with positions,
// and works out what each view reads; DB is the registry database: Plan compares definitions with what it holds,
// Apply records them as one commit, and a Snapshot resolves names to exact versions for everybody else. It also
// keeps the leases of materialization and the locks of training sets. Everything is scoped by project.
//
// What SQL may do is decided by sqlgate.
package registry
