"""What exchanges say: their markets, candles asked for, candles as they form. The only room that imports
ccxt; nothing of Kafka enters. Whatever it returns is in our units.
"""
