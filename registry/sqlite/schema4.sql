-- What schema 4 adds: how the latest rounds of fstore monitor came out.
create table monitored (
  project text not null references projects,
  service text not null,              -- empty: the features are of no service
  model   text not null,              -- empty: the service itself
  version text not null,
  history text not null,              -- JSON: a bounded number of rounds, the newest first
  primary key (project, service, model, version)
) strict;
