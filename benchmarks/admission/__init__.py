"""How fast policies are judged and admission answers."""
