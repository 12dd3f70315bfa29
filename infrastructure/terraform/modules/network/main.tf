locals {
  zone_numbers = { for index, zone in var.availability_zones : zone => index + 1 }
}

# DNS resolution is on by AWS's default. DNS hostnames stay off: nothing here has or needs one (tasks have no public
# address, and RDS and ElastiCache names resolve without it), and the provider waits 10 s when it turns them on.
resource "aws_vpc" "this" {
  # checkov:skip=CKV2_AWS_11:flow logs cost more than the traffic that dev has; switched on to look for something

  cidr_block = var.vpc_cidr

  tags = { Name = "${var.name}-vpc-${var.environment}" }
}

# The group that a resource gets if it names none: it lets nothing through.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-sg-${var.environment}" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-igw-${var.environment}" }
}

# No map_public_ip_on_launch: load balancers and the NAT gateway bring their own addresses, and nothing else belongs here.
resource "aws_subnet" "public" {
  for_each = local.zone_numbers

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, each.value)

  tags = { Name = "${var.name}-public-${each.key}-${var.environment}" }
}

resource "aws_subnet" "private" {
  for_each = local.zone_numbers

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, each.value + 10)

  tags = { Name = "${var.name}-private-${each.key}-${var.environment}" }
}

resource "aws_eip" "nat" {
  domain = "vpc"

  tags = { Name = "${var.name}-nat-eip-${var.environment}" }
}

# One for both zones: half the price; losing the first zone cuts the other zone's way out.
resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[var.availability_zones[0]].id

  tags = { Name = "${var.name}-nat-${var.environment}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public-rt-${var.environment}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private-rt-${var.environment}" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route" "nat" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  route_table_id = aws_route_table.public.id
  subnet_id      = each.value.id
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  route_table_id = aws_route_table.private.id
  subnet_id      = each.value.id
}
