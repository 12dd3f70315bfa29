output "address" {
  description = "Address of the node."
  value       = aws_elasticache_cluster.this.cache_nodes[0].address
}

output "port" {
  description = "Port of the node."
  value       = aws_elasticache_cluster.this.cache_nodes[0].port
}

output "connection_string" {
  description = "URL of the node: redis://<address>:<port>."
  value       = "redis://${aws_elasticache_cluster.this.cache_nodes[0].address}:${aws_elasticache_cluster.this.cache_nodes[0].port}"
}

output "cluster_id" {
  description = "Identifier of the cache cluster."
  value       = aws_elasticache_cluster.this.cluster_id
}
