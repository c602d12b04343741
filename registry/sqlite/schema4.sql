-- What schema 4 adds: how the latest rounds of fstore monitor came out, and what people are told of.
create table monitored (
  project text not null references projects,
  service text not null,              -- empty: the features are of no service
  model   text not null,              -- empty: the service itself
  version text not null,
  history text not null,              -- JSON: a bounded number of rounds, the newest first
  primary key (project, service, model, version)
) strict;

create table alerts (
  project text not null references projects,
  name    text not null,              -- of the condition
  state   text not null,              -- JSON: since when it fires, and which targets know it
  primary key (project, name)
) strict;
