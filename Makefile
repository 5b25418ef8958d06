.DEFAULT_GOAL := help
.PHONY: help demo test bench clean

help: ## list what there is
	@echo help
