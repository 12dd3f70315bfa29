"""Operations on the service: one module a verb."""
