// Package release tests what make dist has made: the archive, its checksums, its SBOM, and what the command needs of a system. It has no code of its own.
package release
