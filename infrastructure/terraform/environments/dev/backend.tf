# The state is a local file, one for each workspace; where it lies is given at init (-backend-config="workspace_dir=…").
terraform {
  backend "local" {}
}
